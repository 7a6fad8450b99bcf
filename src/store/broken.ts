import { UserError } from '../base/errors.js'

/** The error for a table with a file that is spoilt, or that is of another table. */
export function brokenTable(where: string, what: string, expected?: string): UserError {
  const remedy = 'copy the table again, or remove it and run mim embed again'
  return new UserError({ id: 'store-broken', where, what, expected, remedy })
}
