/** Node's own report, with each skipped test and its reason right before the counts. */
import { Readable } from 'node:stream'
import { spec } from 'node:test/reporters'

interface TestEvent {
  type: string
  data: { name?: string; message?: string; nesting?: number; skip?: string | boolean }
}

export async function* withSkipped(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const skipped: string[] = []
  for await (const event of events) {
    const { name, message, nesting, skip } = event.data
    if (event.type === 'test:pass' && skip)
      skipped.push(`skipped: ${name}: ${skip === true ? 'no reason given' : skip}`)
    if (event.type === 'test:diagnostic' && nesting === 0 && message?.startsWith('tests ')) {
      for (const line of skipped.splice(0)) yield { type: 'test:diagnostic', data: { nesting: 0, message: line } }
    }
    yield event
  }
}

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(withSkipped(events)).compose(new spec()) as unknown as AsyncIterable<string>
}
