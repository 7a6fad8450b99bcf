import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../e2e/chain.test.js')
