import { onlyOn } from '../../engines.js'

onlyOn('tensorflow')
await import('../../e2e/oneModality.test.js')
