import { type LossTerm, modalityLevel } from './term.js'

export const text = {
  name: 'text',
  default: 0.5,
  help: 'Loss weight of InfoNCE between texts of query and item',
  supervises: true,
  needs: ['text'],
  ablation: 'text level',
  terms: ({ vectors, contrast }, weight) => contrast(modalityLevel('text', weight, vectors)),
} as const satisfies LossTerm
