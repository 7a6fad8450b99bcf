/** Checkpoints and tokenizers that lie: sizes, tensors, pickles, shards, words. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pickled, zipOf } from '../../formats/zips.js'
import { type BadInput, commands } from './badInput.js'

const { encode } = commands
const list: BadInput[] = []
type Make = BadInput['make']
const add = (name: string, make: Make, id: BadInput['id'], says: RegExp, more: Partial<BadInput> = {}) =>
  list.push({ name, make, id, says, ...more })

/** Values in config.json of a checkpoint. */
const value = (
  path: string,
  given: unknown,
  id: BadInput['id'] = 'model-config',
  says = new RegExp(path.split('.').at(-1)!),
  more = {},
) =>
  add(
    `checkpoint: ${path} ${JSON.stringify(given)}`,
    (p) => {
      const copy = p.copy('checkpoint')
      const file = join(copy, 'config.json')
      const config = JSON.parse(readFileSync(file, 'utf8'))
      const names = path.split('.')
      const last = names.pop()!
      const at = names.reduce((tree, name) => tree[name], config)
      at[last] = given
      writeFileSync(file, JSON.stringify(config))
      return encode(p, copy)
    },
    id,
    says,
    more,
  )
for (const given of [null, -1, 0, 1.5, '16', [], {}]) {
  for (const path of [
    'vision_config.hidden_size',
    'vision_config.num_hidden_layers',
    'vision_config.image_size',
    'vision_config.patch_size',
    'text_config.vocab_size',
    'text_config.max_position_embeddings',
    'projection_dim',
  ])
    value(path, given)
}
const shape = ['tensor-shape', 'model-config', 'model-size', 'preprocessor']
for (const path of [
  'vision_config.hidden_size',
  'vision_config.image_size',
  'vision_config.patch_size',
  'text_config.vocab_size',
  'text_config.max_position_embeddings',
  'projection_dim',
]) {
  value(path, 1e9, shape, /1000000000/)
}
value('vision_config.num_hidden_layers', 1e9, shape.concat('tensor-missing'), /1000000000|layers/, {
  todo: 'a billion layers',
})
for (const given of [null, 7, 'gpt2', '__proto__', '../clip', []])
  value('model_type', given, 'model-architecture', /config\.json/)
for (const given of [7, [], 'x']) value('vision_config', given)
for (const given of ['swish', 7, null, '__proto__', 'constructor']) value('vision_config.hidden_act', given)
for (const given of [null, -1, 'x']) value('vision_config.layer_norm_eps', given)
for (const given of [null, 1e9, -1, 'x']) value('text_config.eos_token_id', given, ['tokenizer-ids', 'model-config'])

/** A safetensors file with this header; `bytes` of data. */
const tensors = (name: string, header: string | object, id = 'safetensors-unreadable', bytes = 16, length?: bigint) =>
  add(
    `checkpoint: model.safetensors ${name}`,
    (p) => {
      const copy = p.copy('checkpoint')
      const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
      const size = Buffer.alloc(8)
      size.writeBigUInt64LE(length ?? BigInt(text.length))
      writeFileSync(join(copy, 'model.safetensors'), Buffer.concat([size, text, Buffer.alloc(bytes)]))
      return encode(p, copy)
    },
    id,
    /checkpoint/,
  )
const f32 = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({
  logit_scale: { dtype, shape, data_offsets: offsets },
})
tensors('with a header of 2⁶³ bytes', '{}', 'safetensors-unreadable', 16, 2n ** 63n)
tensors('with a header beyond its end', '{}', 'safetensors-unreadable', 16, 10000n)
tensors('with a header of no byte', '', 'safetensors-unreadable', 16)
tensors('without a tensor', {}, 'safetensors-unreadable')
tensors('with a header that is null', 'null')
tensors('with a header that is a list', '[]')
tensors('with offsets beyond its end', f32([4], [0, 1600]))
tensors('with offsets below zero', f32([4], [-16, 0]))
tensors('with offsets turned round', f32([4], [16, 0]))
tensors('with offsets that are text', f32([4], ['0', '16']))
tensors('with a shape of 2⁴⁰', f32([2 ** 40], [0, 16]))
tensors('with a shape below zero', f32([-4], [0, 16]))
tensors('with a shape that is none', f32('4', [0, 16]))
tensors('with a type that is none', f32([4], [0, 16], 'F33'))
tensors('with tensors that overlap', {
  ...f32([4], [0, 16]),
  other: { dtype: 'F32', shape: [4], data_offsets: [0, 16] },
})
tensors('with __proto__', '{"__proto__": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}', 'tensor-missing')

// Pickles: with code in them, which must not run, and lies.
const { global, call, tuple, text, dictionary, stop } = pickled
const pickle = (name: string, code: Buffer, id = 'torch-unreadable') =>
  add(
    `checkpoint: a pickle ${name}`,
    (p) => {
      const copy = p.copy('checkpoint')
      rmSync(join(copy, 'model.safetensors'))
      writeFileSync(
        join(copy, 'pytorch_model.bin'),
        zipOf({ 'model/data.pkl': code, 'model/data/0': Buffer.alloc(16) }),
      )
      return encode(p, copy)
    },
    id,
    /pytorch_model\.bin/,
  )
for (const [module, name] of [
  ['os', 'system'],
  ['builtins', 'eval'],
  ['builtins', 'exec'],
  ['subprocess', 'call'],
  ['posix', 'system'],
  ['torch', 'load'],
]) {
  pickle(`that calls ${module}.${name}`, Buffer.concat([call(global(module, name), tuple(text('touch ran'))), stop]))
}
pickle('without an end', Buffer.from([0x80, 2]))
pickle('that is a number', Buffer.concat([Buffer.from([0x80, 2, 0x4b, 7]), stop]))
pickle('without a tensor', dictionary())
pickle(
  'of 10,000 tuples in one another',
  Buffer.concat([Buffer.from('('.repeat(10000)), Buffer.from('t'.repeat(10000)), stop]),
)
for (const [name, bytes] of Object.entries({
  'a text': Buffer.from('text'),
  'a zip cut in half': zipOf({ 'model/data.pkl': Buffer.alloc(1000) }).subarray(0, 500),
  'no byte': Buffer.alloc(0),
  zeros: Buffer.alloc(10000),
})) {
  add(
    `checkpoint: pytorch_model.bin of ${name}`,
    (p) => {
      const copy = p.copy('checkpoint')
      rmSync(join(copy, 'model.safetensors'))
      writeFileSync(join(copy, 'pytorch_model.bin'), bytes)
      return encode(p, copy)
    },
    'torch-unreadable',
    /pytorch_model\.bin/,
  )
}
const elsewhere = (name: string, index: unknown, id = 'weights-missing') =>
  add(
    `checkpoint: shards ${name}`,
    (p) => {
      const copy = p.copy('checkpoint')
      rmSync(join(copy, 'model.safetensors'))
      writeFileSync(join(copy, 'model.safetensors.index.json'), JSON.stringify(index))
      return encode(p, copy)
    },
    id,
    /model\.safetensors\.index\.json/,
  )
elsewhere('outside', { weight_map: { logit_scale: '../../etc/passwd' } })
elsewhere('of no name', { weight_map: { logit_scale: '' } })
elsewhere('of a number', { weight_map: { logit_scale: 7 } })
elsewhere('without a map', {})
elsewhere('null', null)

/** Changes of tokenizer.json. */
const tokenizer = (
  name: string,
  change: (tokenizer: { model: Record<string, unknown>; [part: string]: unknown }) => void,
  id = 'tokenizer-broken',
  more = {},
) =>
  add(
    `tokenizer: ${name}`,
    (p) => {
      const copy = p.copy('checkpoint')
      const file = join(copy, 'tokenizer.json')
      const value = JSON.parse(readFileSync(file, 'utf8'))
      change(value)
      writeFileSync(file, JSON.stringify(value))
      return encode(p, copy)
    },
    id,
    /checkpoint/,
    more,
  )
tokenizer('of no model', (t) => {
  delete (t as Record<string, unknown>)['model']
})
tokenizer(
  'with words that are a list',
  (t) => {
    t.model['vocab'] = [1, 2]
  },
  'tokenizer-broken',
)
tokenizer('with merges that are numbers', (t) => {
  t.model['merges'] = [7]
})
tokenizer('with added words that are none', (t) => {
  t['added_tokens'] = [null]
})

export const checkpoints = list
