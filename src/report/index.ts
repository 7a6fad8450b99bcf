export { type BarPlot, barPlot } from './charts/bars.js'
export type { HistoryRow } from './charts/curves.js'
export { type LinePlot, linePlot, type Point } from './charts/lines.js'
export { duration } from './charts/scale.js'
export type { Child } from './markup.js'
export { page, plots, section } from './page.js'
export { type BucketResult, clickSections } from './sections/clicks.js'
export {
  type ComparedMetric,
  type ComparisonRow,
  comparedMetrics,
  comparisonReport,
} from './sections/comparison.js'
export { type Card, gallery, type QueryResult } from './sections/gallery.js'
export { judgedSection } from './sections/judged.js'
export { modalitiesSection } from './sections/modalities.js'
export { type RecallTask, recallSection } from './sections/recall.js'
export { type RunSummary, stageReport } from './stage.js'
export { aligned, four, interval, markdown, signed, spread } from './text.js'
