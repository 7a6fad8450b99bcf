/** What a bad input is, and the commands that read it. */
import { setArguments } from '../../refusal.js'
import { type Place, smallClicks, smallEncoder } from './prepared.js'

export interface BadInput {
  name: string
  /** Makes the bad input at a place and gives the command that reads it, with its output at `place.out`. */
  make(place: Place): readonly string[] | Promise<readonly string[]>
  /** The id of the error; several where it depends on which part is read first. */
  id: string | readonly string[]
  /** What the message has: the place, the value, the rule or the remedy. */
  says: RegExp
  /** The folder below the place in which the command works, and changes files. */
  changes?: string
  /** Why the right answer is not given yet. */
  todo?: string
  /** Files below the place that the command leaves: lists of what is wrong. */
  leaves?: readonly string[]
  /** The reason not to try it on this machine. */
  skip?: string | false
}

type Options = Record<string, unknown>

/** Commands on sound inputs but for the options given, which name the bad one. */
export const commands = {
  ctr: ({ sound, out }: Place, options: Options = {}, ...more: string[]) => [
    ...['ctr', '--out', out, ...smallClicks, ...setArguments({ 'data.root': sound.data })],
    ...[...setArguments({ 'model.name': 'din', ...options }), ...more],
  ],
  content: (place: Place, embeddings: string, options: Options = {}) =>
    commands.ctr(place, { 'model.name': 'content', 'data.embeddings': embeddings, ...options }),
  pretrain: ({ sound, out }: Place, options: Options = {}, ...more: string[]) => [
    ...['pretrain', '--out', out, ...setArguments({ 'data.root': sound.data }), '--set', `data.cache=${sound.cache}`],
    ...[...smallEncoder, ...setArguments(options), ...more],
  ],
  sft: ({ sound, out }: Place, options: Options = {}, ...more: string[]) => [
    ...[
      'sft',
      ...setArguments({ 'data.root': sound.data }),
      '--init',
      sound.checkpoint,
      '--out',
      out,
      '--set',
      `data.cache=${sound.cache}`,
    ],
    ...[...setArguments({ 'train.batch': 16, 'train.epochs': 1, ...options }), ...more],
  ],
  embed: ({ sound, out }: Place, options: Options = {}, ...more: string[]) => [
    ...['embed', '--checkpoint', sound.checkpoint, '--out', out, '--set', 'threads=1'],
    ...[...setArguments({ 'data.root': sound.data, ...options }), ...more],
  ],
  /** Encoding with another checkpoint. */
  encode: ({ sound, out }: Place, checkpoint: string) => [
    ...['embed', '--data', sound.data, '--checkpoint', checkpoint, '--out', out, '--set', 'threads=1'],
  ],
  predict: ({ sound, path }: Place, run: string, ...more: string[]) => [
    ...['ctr', 'predict', run, '--data', sound.data, '--out', path('out'), ...more],
  ],
  evaluate: (file: string, ...more: string[]) => ['ctr', 'evaluate', file, ...more],
  check: (table: string, ...more: string[]) => ['embed', 'check', table, ...more],
  neighbors: (table: string, ...more: string[]) => ['neighbors', table, ...more],
}
