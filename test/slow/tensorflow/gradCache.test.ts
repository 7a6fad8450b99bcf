import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../engine/gradCache.test.js')
