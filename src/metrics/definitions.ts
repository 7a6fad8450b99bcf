/** The table behind `registry.ts`: every number and name that stages write to metrics.json and to the history. */

export interface MetricDefinition {
  /**
   * Name without its variant (`before_`, `valid_`, …). `{k}` stands for a whole number, `{kind}` for words joined by
   * `_`. The first definition that fits a name counts.
   */
  name: string
  /** What it says, for readers of a report. `{k}` and `{kind}` are filled in, here and below. */
  meaning: string
  /** What readers call it in a table or above a chart; default: the name in words. */
  label?: string
  unit?: 'nats' | 's' | '1/s' | 'MB'
  /** Which of two values belongs to the better model; absent where neither does. */
  better?: 'greater' | 'less'
  /** The value of random guessing; default 0. */
  chance?: number
  /** Whether the line about an evaluation of C-SFT prints it: always, or for these k. */
  printed?: true | readonly number[]
  /** Metrics with the same chart share one, each with a line of its own; false: it is not drawn. */
  chart?: { title: string; line: string } | false
  /** Measured over training steps, not by an evaluation. */
  ofSteps?: true
}

const unseen = 'items that nobody chose in training'

/** Retrieval of the right `target` among all, for one task of stage 1. */
const retrieval = (task: string, label: string, target: string): MetricDefinition[] => [
  {
    name: `${task}_recall_{k}`,
    label: `${label}, recall@{k}`,
    meaning: `share of queries with the right ${target} among the first {k}`,
    better: 'greater',
    chart: { title: `${label}, recall`, line: 'first {k}' },
    // C-SFT measures one of these, with k = 10.
    ...(task === 'title_to_image' ? { printed: true } : {}),
  },
  {
    name: `${task}_median_rank`,
    label: `${label}, median rank`,
    meaning: `median rank of the right ${target}, counted from 1`,
    better: 'less',
  },
  {
    name: `${task}_mrr`,
    label: `${label}, MRR`,
    meaning: `mean reciprocal rank of the right ${target}`,
    better: 'greater',
  },
]

/** Recall and mean reciprocal rank of C-SFT for one group of queries; `suffix` is part of the names. */
const chosenItem = (suffix: string, group: string, printed?: readonly number[]): MetricDefinition[] => {
  const line = suffix.slice(1).replaceAll('_', ' ')
  return [
    {
      name: `recall_{k}${suffix}`,
      label: line ? `recall@{k}, ${line}` : 'query → chosen item, recall@{k}',
      meaning: `share of queries with the chosen item among the first {k}${group}`,
      better: 'greater',
      printed,
      chart: line ? { title: 'recall@{k}', line } : { title: 'recall', line: 'first {k}' },
    },
    {
      name: `mrr${suffix}`,
      label: line ? `MRR, ${line}` : 'MRR',
      meaning: `mean reciprocal rank of the chosen item${group}`,
      better: 'greater',
    },
  ]
}

const clicks: MetricDefinition[] = [
  {
    name: 'auc',
    label: 'AUC',
    meaning: 'probability that a click is ranked above a non-click; 0.5 is random',
    better: 'greater',
    chance: 0.5,
    chart: { title: 'AUC', line: 'AUC' },
  },
  {
    name: 'gauc',
    label: 'GAUC',
    meaning: 'mean of the AUC within each user, weighted by impressions; 0.5 is random',
    better: 'greater',
    chance: 0.5,
    chart: { title: 'AUC', line: 'GAUC' },
  },
  { name: 'auc_low', meaning: 'lower bound of the 95 % interval of the AUC (bootstrap over users)' },
  { name: 'auc_high', meaning: 'upper bound of the 95 % interval of the AUC (bootstrap over users)' },
  { name: 'gauc_low', meaning: 'lower bound of the 95 % interval of the GAUC (bootstrap over users)' },
  { name: 'gauc_high', meaning: 'upper bound of the 95 % interval of the GAUC (bootstrap over users)' },
  { name: 'gauc_users', meaning: 'users with both clicks and non-clicks' },
  { name: 'logloss', label: 'log loss', meaning: 'log loss per impression', unit: 'nats', better: 'less' },
  {
    name: 'ece',
    label: 'ECE',
    meaning: 'expected calibration error: mean gap between predicted and observed click rate',
    better: 'less',
  },
  {
    name: 'predicted_over_observed',
    label: 'predicted / observed',
    meaning: 'predicted over observed clicks; 1 is calibrated, above 1 predicts too many',
  },
  {
    name: 'auc_unseen',
    label: 'AUC, unseen items',
    meaning: 'AUC on items without a training impression',
    better: 'greater',
    chance: 0.5,
  },
  {
    name: 'auc_rare',
    label: 'AUC, rare items',
    meaning: 'AUC on items with few training impressions',
    better: 'greater',
    chance: 0.5,
  },
  { name: 'auc_without_vector', meaning: 'AUC on items without a content vector', better: 'greater', chance: 0.5 },
  { name: 'id_share', meaning: 'weight of the id branch in the score; the rest is the content branch' },
  { name: 'test_impressions', meaning: 'impressions of the test period' },
  { name: 'reliability', meaning: 'the calibration curve' },
  { name: 'by_item_frequency', meaning: 'AUC by number of training impressions of the item' },
  { name: 'by_history_length', meaning: 'AUC by length of the history' },
]

const vectors: MetricDefinition[] = [
  ...retrieval('image_to_title', 'picture → title', 'title, given the picture,'),
  ...retrieval('title_to_image', 'title → picture', 'picture, given the title,'),
  ...retrieval('image_to_item', 'picture → item', 'item, given its picture alone,'),
  ...retrieval('title_to_item', 'title → item', 'item, given its title alone,'),
  ...retrieval('view', 'view → item', 'item, given a crop of its picture or part of its title,'),
  ...chosenItem('', '', [1, 10, 50]),
  ...chosenItem('_unseen', `, for ${unseen}`, [10]),
  ...chosenItem('_query', ', for queries by picture or text', [10]),
  ...chosenItem('_query_unseen', `, for queries by picture or text and ${unseen}`),
  ...chosenItem('_{kind}_unseen', `, for queries by {kind} and ${unseen}`),
  ...chosenItem('_{kind}', ', for queries by {kind}', [10]),
  {
    name: 'category_purity_{k}',
    meaning: 'share of the {k} nearest neighbors that are in the category of the item',
    printed: true,
  },
  {
    name: 'zero_shot_accuracy',
    meaning: 'share of pictures that are nearest to the prompt of their category',
    better: 'greater',
  },
  {
    name: 'category_accuracy_{kind}',
    meaning: 'share of items with the category that is most frequent among their nearest neighbors ({kind} vectors)',
    better: 'greater',
  },
  { name: 'category_majority', meaning: 'share of the largest category: the accuracy of always predicting it' },
  {
    name: 'alignment',
    meaning: 'mean squared distance between picture and title vectors of an item; 0 is best',
    better: 'less',
  },
  {
    name: 'uniformity_{kind}',
    meaning: 'uniformity of the {kind} vectors; 0 if all are the same',
    better: 'less',
  },
  { name: 'mean_cosine_{kind}', meaning: 'mean cosine of two random items ({kind} vectors); near 1: collapsed' },
  { name: 'mean_cosine', meaning: 'mean cosine of two random items; near 1: collapsed', printed: true },
]

const training: MetricDefinition[] = [
  { name: 'loss', label: 'training loss', meaning: 'what the optimizer minimizes', better: 'less', ofSteps: true },
  {
    name: 'loss_{kind}',
    label: 'training loss, {kind}',
    meaning: 'the term {kind} of the loss',
    better: 'less',
    ofSteps: true,
  },
  { name: 'learning_rate', meaning: 'rises during warm-up, then follows the schedule', ofSteps: true },
  { name: 'samples_per_second', label: 'speed', meaning: 'rows trained on per second', ofSteps: true },
  { name: 'data_wait_share', meaning: 'share of the time that steps wait for data', ofSteps: true, chart: false },
  { name: 'step', meaning: 'number of the step', ofSteps: true, chart: false },
  { name: 'best_step', meaning: 'step of the best model, the one that is kept' },
  { name: 'steps', meaning: 'training steps' },
  { name: 'stopped', meaning: 'why training ended: steps (all done), patience or max-time' },
  { name: 'pairs_seen', meaning: 'training pairs, repeats included' },
  { name: 'positives', meaning: 'positive pairs by source' },
  { name: 'held_out', meaning: 'items kept out of training for these results' },
  { name: 'engine', meaning: 'training engine' },
  { name: 'load_seconds', meaning: 'time to read the tables and build histories', unit: 's' },
  { name: 'load_rows_per_second', meaning: 'impressions loaded', unit: '1/s' },
  { name: 'train_rows_per_second', meaning: 'impressions trained on, waiting for batches included', unit: '1/s' },
  { name: 'train_seconds', meaning: 'time to load and train', unit: 's' },
  { name: 'seconds', meaning: 'time of the whole run', unit: 's' },
  { name: 'model', meaning: 'click model' },
]

const extraction: MetricDefinition[] = [
  { name: 'items', meaning: 'items in the catalogue' },
  { name: 'computed', label: 'vectors computed', meaning: 'vectors computed in this run' },
  { name: 'unchanged', meaning: 'vectors reused from the previous table' },
  { name: 'resumed', meaning: 'vectors reused from an interrupted run' },
  { name: 'empty', meaning: 'items skipped: neither readable picture nor title' },
  { name: 'pictures', meaning: 'items with a picture, readable or not' },
  { name: 'broken', meaning: 'pictures that could not be read' },
  { name: 'gone', meaning: 'items of the previous table that left the catalogue' },
  { name: 'rows', meaning: 'vectors in the table' },
  { name: 'both', meaning: 'items with a vector of picture and title' },
  { name: 'picture_only', meaning: 'items with a vector of the picture alone' },
  { name: 'title_only', meaning: 'items with a vector of the title alone' },
  { name: 'table', meaning: 'where the vectors are' },
  { name: 'shards', meaning: 'shards merged' },
  { name: 'batch', meaning: 'items encoded at a time' },
  { name: 'width', meaning: 'dimensions of a vector' },
  { name: 'model_version', meaning: 'hash of the weights and of everything that prepares their inputs' },
  { name: 'provider', meaning: 'ONNX Runtime provider' },
  { name: 'lanes', meaning: 'encoders that ran in parallel' },
  { name: 'items_per_second', label: 'items per second', meaning: 'vectors computed, all work included', unit: '1/s' },
  { name: 'peak_memory_mb', meaning: 'peak memory of the process', unit: 'MB' },
]

export const definitions: readonly MetricDefinition[] = [...clicks, ...vectors, ...training, ...extraction]
