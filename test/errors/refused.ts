import assert from 'node:assert/strict'
import { UserError } from '../../src/base/errors.js'

/** Asserts that `work` throws a UserError of this id, and that its message matches. */
export async function assertRefused(work: () => unknown, id: string, message: RegExp): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error) => {
      assert.ok(error instanceof UserError, String(error))
      assert.equal(error.id, id)
      assert.match(error.message, message)
      return true
    },
  )
}
