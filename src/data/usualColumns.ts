/** Default names of columns that a table may lack. A column that the user gives another name must exist. */

export const usualItemColumns = { title: 'title', image: 'image', category: 'category' } as const

export const usualBehaviorColumns = {
  request: 'request_id',
  queryText: 'query_text',
  queryImage: 'query_image',
} as const
