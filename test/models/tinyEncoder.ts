import { parseModelConfig } from '../../src/models/config.js'
import type { EncoderShape } from '../../src/models/encoder.js'

const tower = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8 }
const config = parseModelConfig(
  {
    model_type: 'clip',
    projection_dim: 6,
    vision_config: { ...tower, image_size: 8, patch_size: 4 },
    text_config: { ...tower, vocab_size: 20, max_position_embeddings: 4, eos_token_id: 19, pad_token_id: 0 },
  },
  'config.json',
)
/** A CLIP small enough to work through by hand. */
export const shape: EncoderShape = { config, length: 4, fusion: 5 }
