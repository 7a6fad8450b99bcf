import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../models/ctr.test.js')
