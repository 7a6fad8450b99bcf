export { type BarPlot, barPlot } from './bars.js'
export { type BucketResult, type ClickResults, clickSections } from './clicks.js'
export {
  type ComparedMetric,
  type ComparisonOptions,
  type ComparisonRow,
  comparedMetrics,
  comparisonReport,
} from './comparison.js'
export type { HistoryRow } from './curves.js'
export { type Ask, type Card, gallery } from './gallery.js'
export { judgedSection } from './judged.js'
export { type LinePlot, linePlot, type Point } from './lines.js'
export type { Child } from './markup.js'
export { modalitiesSection } from './modalities.js'
export { page, plots, section } from './page.js'
export { type RecallTask, recallSection } from './recall.js'
export { duration } from './scale.js'
export { type RunSummary, stageReport } from './stage.js'
export { aligned, four, interval, markdown, signed, spread } from './text.js'
