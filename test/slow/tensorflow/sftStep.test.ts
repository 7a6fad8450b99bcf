import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../stages/sft/training.test.js')
