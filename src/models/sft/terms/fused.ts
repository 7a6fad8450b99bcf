import { contentLevel, type LossTerm } from './term.js'

export const fused = {
  name: 'fused',
  default: 1,
  help: 'Loss weight of InfoNCE between content vectors of query and item',
  supervises: true,
  needs: [],
  ablation: 'fused level',
  terms: ({ vectors, contrast }, weight) => contrast(contentLevel(weight, vectors)),
} as const satisfies LossTerm
