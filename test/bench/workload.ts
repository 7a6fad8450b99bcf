/** The process of one workload: `node workload.js NAME SIZES`, the sizes as JSON, prints its figures as JSON. */
import { clip, clipProducts } from './clip.js'
import { ctr, ctrGrowth } from './ctr.js'
import { embed } from './embed.js'
import type { Figures, Size } from './measure.js'

const workloads: Record<string, (size: Size & { images: string }) => Promise<Figures>> = {
  ctr: (size) => ctr('padded', size),
  'ctr-ragged': (size) => ctr('ragged', size),
  'ctr-growth': (size) => ctrGrowth('padded', size),
  'ctr-ragged-growth': (size) => ctrGrowth('ragged', size),
  clip,
  'clip-products': clipProducts,
  embed: (size) => embed(size, size.images),
}

const [, , name, sizes] = process.argv
const figures = await workloads[name](JSON.parse(sizes))
const max_rss_mb = process.resourceUsage().maxRSS / 1024
// What it is called where one of our engines is the other's peer.
const peer = `mim on ${process.env['MIM_ENGINE'] ?? 'auto'}`
process.stdout.write(`${JSON.stringify({ peer, ...figures, max_rss_mb })}\n`)
