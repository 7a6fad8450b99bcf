/** A process that runs one command after another, as `bin/mim` does, without loading `mim` again each time. */
import { main, report } from '../../../src/cli.js'

/** A command to run: arguments, variables of the environment, working folder. */
export interface Command {
  args: readonly string[]
  env?: Record<string, string>
  cwd?: string
}

process.on('uncaughtException', (error) => process.exit(report(error)))
process.on('message', async ({ args, env = {}, cwd }: Command) => {
  const before = { env: { ...process.env }, cwd: process.cwd() }
  Object.assign(process.env, env)
  if (cwd !== undefined) process.chdir(cwd)
  await main(['node', 'mim', ...args])
  const code = process.exitCode ?? 0
  process.exitCode = undefined
  process.chdir(before.cwd)
  for (const name of Object.keys(env)) delete process.env[name]
  Object.assign(process.env, before.env)
  process.send!(code)
})
