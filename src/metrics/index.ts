export { auc } from './auc.js'
export { type BootstrapOptions, type Interval, userBootstrap } from './bootstrap.js'
export { aucByBucket, type BucketAuc, type Buckets, buckets, DEFAULT_BUCKETS } from './buckets.js'
export {
  type Calibration,
  type CalibrationBin,
  calibration,
  DEFAULT_BINS,
  expectedCalibrationError,
  LOG_LOSS_EPSILON,
  logLoss,
} from './calibration.js'
export { majorityShare, nearestClassAccuracy, neighborAccuracy } from './classification.js'
export type { Labels, Scores } from './columns.js'
export { aucOfGroups, type Gauc, type GroupAucs, gauc } from './gauc.js'
export { type Difference, meanInterval, metricInterval, pairedDifference, type ResampledMetric } from './intervals.js'
export { nearestItems } from './nearest.js'
export { type RankOptions, ranksOfTargets } from './ranks.js'
export { isPrinted, labelOf, meaningOf, metricOf, splitName, type Variant, variants } from './registry.js'
export {
  alignment,
  COLLAPSED_COSINE,
  isCollapsed,
  meanPairwiseCosine,
  type UniformityOptions,
  uniformity,
} from './representation.js'
export { meanReciprocalRank, medianRank, recallAtK } from './retrieval.js'
export { rocCurve } from './roc.js'
export { type RankedRows, rankRows, weightedAuc, weightedGauc } from './weighted.js'
