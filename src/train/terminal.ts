/** Progress of a stage on standard error: bars on a terminal, plain lines elsewhere. */
import { MultiBar, type SingleBar } from 'cli-progress'

export interface Bar {
  /** `note` is shown after the bar, e.g. "loss 0.31". */
  update(done: number, note?: string): void
  stop(): void
}

const plainInterval = 10_000

export class Terminal {
  private readonly bars: MultiBar | undefined

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {
    if (!stream.isTTY) return
    const format =
      '{title} {bar} {percentage} % | {value}/{total} | {duration_formatted} of {eta_formatted} left | {note}'
    this.bars = new MultiBar({ stream, format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 5 })
  }

  /** Writes one line, above the bars if there are any. */
  say(line: string): void {
    if (this.bars && this.running > 0) this.bars.log(`${line}\n`)
    else this.stream.write(`${line}\n`)
  }

  private running = 0

  bar(title: string, total: number): Bar {
    return this.bars ? this.drawnBar(this.bars, title, total) : this.plainBar(title, total)
  }

  private drawnBar(bars: MultiBar, title: string, total: number): Bar {
    const bar: SingleBar = bars.create(total, 0, { title, note: '' })
    this.running++
    return {
      update: (done, note) => bar.update(done, note === undefined ? {} : { note }),
      stop: () => {
        bar.stop()
        bars.remove(bar)
        this.running--
        if (this.running === 0) bars.stop()
      },
    }
  }

  /** Without a terminal: a line every ten seconds, with the percentage done. */
  private plainBar(title: string, total: number): Bar {
    let last = Date.now()
    return {
      update: (done, note) => {
        if (Date.now() - last < plainInterval) return
        last = Date.now()
        this.say(`${title}: ${done}/${total} (${Math.floor((100 * done) / total)} %)${note ? ` ${note}` : ''}`)
      },
      stop: () => {},
    }
  }
}
