import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../stages/pretrain/task.test.js')
