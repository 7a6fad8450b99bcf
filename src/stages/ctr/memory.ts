/** Refuses embedding tables that do not fit into memory before the data are read. */
import { requireMemory } from '../../base/capacity.js'
import type { CtrConfig } from '../../config/ctr.js'
import { mayUseGpu } from '../../engine/memory.js'

/**
 * Refuses tables of a size that the configuration names: of hashed ids and of hash features. The size of the others
 * follows from the data.
 * @throws UserError `memory`
 */
export function requireTableMemory(config: CtrConfig): void {
  if (mayUseGpu(config)) return
  const { features, model, train } = config
  const ofIds = (features.idRows ?? 0) * (features.user ? 2 : 1)
  const hashed = [...features.items, ...features.context].map((one) => (one.kind === 'hash' ? one.rows : 0))
  const rows = hashed.reduce((a, b) => a + b, ofIds)
  const ofOptimizer = { adam: 2, adagrad: 1, 'rowwise-adagrad': 1 / model.dim }[train.tableOptimizer]
  const remedy =
    'lower features.idRows, the rows of hash features or model.dim, or use train.tableOptimizer rowwise-adagrad'
  requireMemory(rows * model.dim * 4 * (1 + ofOptimizer), `embedding tables of ${rows} rows`, remedy)
}
