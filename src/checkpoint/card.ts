/** The model card of a checkpoint, README.md: architecture, training data, metrics and use. */
import { stringify } from 'yaml'
import type { ModelFolder } from './folder.js'

/** Metrics by name, before and after training. */
export interface Judgment {
  before: Record<string, number>
  after: Record<string, number>
}

/** The card in Markdown, with front matter for the Hugging Face Hub. */
export function modelCard({ config, mim }: Pick<ModelFolder, 'config' | 'mim'>, judgment?: Judgment): string {
  const stages = mim.provenance ?? []
  const { architecture, vision, text, projection } = config
  const [base] = stages.flatMap(({ init }) => /^hf:([^@]+)/.exec(init ?? '')?.[1] ?? [])
  const matter = {
    library_name: 'transformers',
    pipeline_tag: 'feature-extraction',
    ...(base ? { base_model: base } : {}),
    tags: ['mim', architecture, 'image-text'],
  }
  const rows = stages.flatMap(({ stage, data, init }) => [
    [`${stage}: starts from`, init ?? 'scratch', ''],
    ...data.map(({ table, path, rows }) => [`${stage}: ${table}`, path, rows === undefined ? '' : `${rows} rows`]),
  ])
  const vectors = `Encodes pictures of ${vision.imageSize} × ${vision.imageSize} pixels and titles as vectors of ${projection} dimensions`
  return [
    `---\n${stringify(matter)}---`,
    '# Image-text encoder of a catalogue',
    `${vectors}; \`${architecture}\`, ${vision.layers} + ${text.layers} blocks.`,
    ...(mim.fusion ? [`A fusion head computes a content vector of ${mim.fusion.width} dimensions from both.`] : []),
    ...(mim.matryoshka
      ? [`Matryoshka: vectors may be truncated to ${mim.matryoshka.join(', ')} dimensions and normalized again.`]
      : []),
    ...(rows.length > 0 ? ['## Data', table(['', 'what', ''], rows)] : []),
    ...(judgment ? ['## Metrics', metricsTable(judgment)] : []),
    '## Use',
    'In Python, the towers:',
    python(mim.fusion !== undefined),
    'With `mim`, for all items of a catalogue:',
    '```sh\nmim embed --checkpoint FOLDER --data CATALOGUE -o vectors\n```',
    ...stages.map(provenanceLine),
    '',
  ].join('\n\n')
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function metricsTable({ before, after }: Judgment): string {
  const text = (value: number | undefined) => (value === undefined ? '' : String(Number(value.toFixed(4))))
  const rows = Object.keys(after).map((name) => [name, text(before[name]), text(after[name])])
  return `On items held out of training.\n\n${table(['metric', 'before', 'after'], rows)}`
}

function python(fuses: boolean): string {
  const lines = [
    'from transformers import AutoImageProcessor, AutoModel, AutoTokenizer',
    'from torch.nn.functional import normalize',
    '',
    'model = AutoModel.from_pretrained("FOLDER")',
    'tokens = AutoTokenizer.from_pretrained("FOLDER")(titles, padding="max_length", truncation=True, return_tensors="pt")',
    'pixels = AutoImageProcessor.from_pretrained("FOLDER")(pictures, return_tensors="pt")',
    'unit = lambda x: normalize(getattr(x, "pooler_output", x), dim=-1)',
    'image, text = unit(model.get_image_features(**pixels)), unit(model.get_text_features(**tokens))',
  ]
  const head = [
    '',
    '# The content vector; a missing picture or title is a vector of zeros.',
    'import torch',
    'from safetensors.torch import load_file',
    'head = load_file("FOLDER/mim.safetensors")',
    'content = normalize(torch.cat([image, text], -1) @ head["fusion.weight"].T + head["fusion.bias"], dim=-1)',
  ]
  return `\`\`\`python\n${[...lines, ...(fuses ? head : [])].join('\n')}\n\`\`\``
}

function provenanceLine({
  stage,
  mim,
  revision,
  config,
}: NonNullable<ModelFolder['mim']['provenance']>[number]): string {
  return `Made by \`mim ${stage}\` ${mim}${revision ? `, revision ${revision}` : ''}, configuration ${config.slice(0, 16)}.`
}
