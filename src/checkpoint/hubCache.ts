/**
 * One commit of a repository in the cache of Python's huggingface_hub: `blobs/HASH` has a content and
 * `snapshots/COMMIT/PATH` is a link to it. A file counts only if its size and hash are right.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { copyFile, lstat, mkdir, open, readdir, readFile, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { moveTo } from '../base/files.js'
import { stateOfToken, thisProcess, tokenOf } from '../base/processes/owner.js'
import { HubFault } from './hubConnection.js'
import type { HubFile } from './hubFiles.js'

/** Age in milliseconds after which a temporary file of another machine is of a process that was killed. */
const abandoned = 24 * 3600 * 1000

export class HubCache {
  /** The folder of the commit. */
  readonly folder: string
  private readonly home: string
  private readonly blobs: string
  /** Hashes that were checked, so that large files are read once: name, size and times of each. */
  private readonly checked: string

  /** `root`: the folder of all repositories. `commit` is a hexadecimal hash. */
  constructor(
    private readonly root: string,
    repository: string,
    commit: string,
  ) {
    this.home = join(root, `models--${repository.replace('/', '--')}`)
    this.folder = join(this.home, 'snapshots', commit)
    this.blobs = join(this.home, 'blobs')
    this.checked = join(this.home, '.mim-checked')
  }

  /** Whether the commit's folder has the file, with the right content. Links a content that another commit has. */
  async has(file: HubFile): Promise<boolean> {
    if (await this.isRight(this.pointer(file), file)) return true
    if (!(await this.isRight(this.blob(file), file))) return false
    await this.link(file)
    return true
  }

  /**
   * Stores a file from its `pieces`; replaces a wrong one.
   * @throws HubFault `hub-answer` if size or hash are wrong; the cache is then as before.
   */
  async store(file: HubFile, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    await mkdir(this.blobs, { recursive: true })
    const temporary = this.temporary(file)
    try {
      const content = new ContentHash(file)
      const handle = await open(temporary, 'w')
      try {
        for await (const piece of pieces) {
          content.add(piece)
          await handle.appendFile(piece)
        }
        await handle.sync()
      } finally {
        await handle.close()
      }
      if (content.bytes !== file.bytes) {
        const what = `${file.path} has ${content.bytes} bytes instead of ${file.bytes}`
        throw new HubFault({ id: 'hub-answer', what })
      }
      if (!content.isRight()) {
        throw new HubFault({
          id: 'hub-answer',
          what: `the content of ${file.path} does not have the hash ${file.hash}`,
        })
      }
      moveTo(temporary, this.blob(file))
    } finally {
      await rm(temporary, { force: true })
    }
    await this.remember(this.blob(file), file)
    await this.link(file)
  }

  /** @throws HubFault `hub-space` if the disk of the cache has less than `bytes` free. */
  async checkSpace(bytes: number): Promise<void> {
    let folder = this.root
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
    const { bavail, bsize } = await statfs(folder)
    if (bytes <= bavail * bsize) return
    const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`
    const what = `its files need ${gigabytes(bytes)}, and the disk of ${this.root} has ${gigabytes(bavail * bsize)} free`
    throw new HubFault({ id: 'hub-space', what })
  }

  /** Removes a file that the commit does not have from its folder. */
  async drop(path: string): Promise<void> {
    await rm(join(this.folder, path), { force: true })
  }

  /** Records that `revision` is this commit, as Python does for its offline mode. */
  async name(revision: string, commit: string): Promise<void> {
    const path = join(this.home, 'refs', revision)
    const temporary = `${path}.mim-${process.pid}`
    try {
      if ((await readFile(path, 'utf8').catch(() => '')) === commit) return
      await mkdir(dirname(path), { recursive: true })
      await writeFile(temporary, commit)
      moveTo(temporary, path)
    } catch {
      // Nothing of ours reads it; a cache that is complete may be read-only.
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  /** Removes temporary files of downloads that were killed. */
  async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.blobs).catch(() => [])) {
      const [, token] = /\.mim-(.+)\.incomplete$/.exec(name) ?? []
      if (token === undefined) continue
      const path = join(this.blobs, name)
      const { mtimeMs } = await lstat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
      const state = stateOfToken(token)
      // Of other machines, which may share the cache.
      const isOld = state === 'unknown' && Date.now() - mtimeMs > abandoned
      if (isOld || state === 'ended') await rm(path, { force: true }).catch(() => {})
    }
  }

  private readonly blob = ({ hash }: HubFile) => join(this.blobs, hash)
  private readonly pointer = ({ path }: HubFile) => join(this.folder, path)
  private readonly temporary = ({ hash }: HubFile) =>
    join(this.blobs, `${hash}.mim-${tokenOf(thisProcess())}.incomplete`)

  private async isRight(path: string, file: HubFile): Promise<boolean> {
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile() || found.size !== file.bytes) return false
    if (file.lfs && (await this.isRemembered(path, file))) return true
    const content = new ContentHash(file)
    for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) content.add(piece as Buffer)
    if (!content.isRight()) return false
    await this.remember(path, file)
    return true
  }

  private async isRemembered(path: string, { hash }: HubFile): Promise<boolean> {
    const known = await readFile(join(this.checked, hash), 'utf8').catch(() => '')
    return known !== '' && known === (await stateOf(path))
  }

  private async remember(path: string, { hash, lfs }: HubFile): Promise<void> {
    if (!lfs) return
    try {
      await mkdir(this.checked, { recursive: true })
      const temporary = join(this.checked, `${hash}.${process.pid}`)
      await writeFile(temporary, await stateOf(path))
      moveTo(temporary, join(this.checked, hash))
    } catch {
      // A complete cache may be read-only; the file is then read again next time.
    }
  }

  /** Makes the link of the commit's folder, or a copy where the file system has no links. */
  private async link(file: HubFile): Promise<void> {
    const pointer = this.pointer(file)
    await mkdir(this.folder, { recursive: true })
    const temporary = this.temporary(file)
    await rm(temporary, { force: true })
    try {
      await symlink(relative(this.folder, this.blob(file)), temporary).catch((error: NodeJS.ErrnoException) => {
        if (!['EPERM', 'ENOTSUP', 'ENOSYS'].includes(error.code ?? '')) throw error
        return copyFile(this.blob(file), temporary)
      })
      moveTo(temporary, pointer)
    } finally {
      await rm(temporary, { force: true })
    }
  }
}

/** Size and hash of a content that comes in pieces. */
class ContentHash {
  bytes = 0
  private readonly hashes: Hash[]

  constructor(private readonly file: HubFile) {
    const algorithm = file.hash.length === 64 ? 'sha256' : 'sha1'
    const plain = createHash(algorithm)
    // Git hashes a header with the size first; servers without git hash the content alone.
    this.hashes = file.lfs ? [plain] : [createHash(algorithm).update(`blob ${file.bytes}\0`), plain]
  }

  add(piece: Uint8Array): void {
    this.bytes += piece.length
    for (const hash of this.hashes) hash.update(piece)
  }

  /** Whether size and hash are those of the file; call it once. */
  isRight(): boolean {
    const found = this.hashes.map((hash) => hash.digest('hex'))
    return this.bytes === this.file.bytes && found.includes(this.file.hash)
  }
}

/** Any change of a file, also one that restores its time of modification, changes this text. */
async function stateOf(path: string): Promise<string> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return `${size} ${ino} ${mtimeNs} ${ctimeNs}`
}
