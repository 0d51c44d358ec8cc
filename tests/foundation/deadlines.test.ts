import assert from 'node:assert/strict'
import { MessageChannel } from 'node:worker_threads'
import { describe, it } from 'vitest'
import { Deadlines } from '../../src/foundation/time/deadlines.ts'

const never = () => new Promise<never>(() => {})
const expiring = { expired: (subject: string) => new Error(`${subject} took too long`) }

describe('deadlines', () => {
  it('P37 a task that never ends rejects, and one that ends in time does not', async () => {
    const deadlines = new Deadlines(50)
    const slow = deadlines.guard(never(), 'slow', expiring)
    assert.equal(await deadlines.guard(Promise.resolve('done'), 'quick', expiring), 'done')
    await assert.rejects(deadlines.guard(Promise.reject(new Error('broken')), 'broken', expiring), /broken/)
    await assert.rejects(slow, /slow took too long/)
  })

  it('tasks that begin at different times have separate deadlines', async () => {
    const deadlines = new Deadlines(60)
    const settled: string[] = []
    const watch = (name: string) =>
      deadlines.guard(never(), name, expiring).catch(() => {
        settled.push(name)
      })
    const first = watch('first')
    await new Promise((resolve) => setTimeout(resolve, 30))
    const second = watch('second')
    await first
    assert.deepEqual(settled, ['first'])
    await second
  })

  it('a task that continues another one has what is left of its time', async () => {
    const deadlines = new Deadlines(60_000)
    const others = deadlines.guard(never(), 'other', expiring)
    others.catch(() => {})
    const sinceMs = performance.now() - 59_950
    await assert.rejects(
      deadlines.leftSince(sinceMs).guard(never(), 'continued', expiring),
      /continued took too long/,
    )
  })

  it('a task that ends after its deadline is reported as resolved late', async () => {
    const deadlines = new Deadlines(10)
    let end = (_: unknown): void => {}
    let late = false
    const work = new Promise((resolve) => {
      end = resolve
    })
    const guarded = deadlines.guard(work, 'late', {
      ...expiring,
      resolved: () => {
        late = true
      },
    })
    await assert.rejects(guarded, /late took too long/)
    end('done')
    await work
    await null
    assert.equal(late, true)
  })

  it('a thousand tasks that end in any order all resolve', async () => {
    const deadlines = new Deadlines(5_000)
    const tasks = Array.from({ length: 1_000 }, (_, index) =>
      deadlines.guard(
        new Promise((resolve) => setTimeout(resolve, (index * 7919) % 40, index)),
        'task',
        expiring,
      ),
    )
    assert.deepEqual(
      await Promise.all(tasks),
      Array.from({ length: 1_000 }, (_, index) => index),
    )
  })

  it('a stalled event loop does not turn a reply that has arrived into a timeout', async () => {
    const deadlines = new Deadlines(30)
    const { port1, port2 } = new MessageChannel()
    const reply = new Promise((resolve) => port1.once('message', resolve))
    const guarded = deadlines.guard(reply, 'stalled', expiring)
    await new Promise((resolve) => setImmediate(resolve))
    port2.postMessage('arrived')
    const startMs = performance.now()
    while (performance.now() - startMs < 80);
    assert.equal(await guarded, 'arrived')
    port1.close()
  })
})
