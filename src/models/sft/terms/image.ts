import { type LossTerm, modalityLevel } from './term.js'

export const image = {
  name: 'image',
  default: 0.5,
  help: 'Loss weight of InfoNCE between pictures of query and item',
  supervises: true,
  needs: ['image'],
  ablation: 'image level',
  terms: ({ vectors, contrast }, weight) => contrast(modalityLevel('image', weight, vectors)),
} as const satisfies LossTerm
