import { describe, expect, test } from 'vitest'
import { RAW } from '../../src/backend/seams/read-outcome.ts'
import type { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { DeadlinePort } from '../../src/redis/port/deadline-port.ts'
import { fromErrorReply } from '../../src/redis/port/redis-errors.ts'
import type { RedisArgument, RedisPort, RedisReply } from '../../src/redis/port/redis-port.ts'
import { isFlag } from '../../src/redis/port/reply-shape.ts'
import { RedisScript } from '../../src/redis/scripts/redis-script.ts'
import { ReadBatcher } from '../../src/redis/store/read-batcher.ts'
import { sendSplittable } from '../../src/redis/store/send-splittable.ts'

const TIMEOUT_MS = 1_000
const REFUSED_AFTER_MS = 800
/** Between one deadline, and the sum of a late refusal and another one. */
const SETTLED_WITHIN_MS = 1_500

/** A server that refuses the first command late, and never answers the others. */
function portThatRefuses(refusal: string): RedisPort {
  let commands = 0
  const send = (): Promise<RedisReply> =>
    new Promise((_, reject) => {
      if (++commands === 1) setTimeout(() => reject(fromErrorReply(refusal)), REFUSED_AFTER_MS)
    })
  const port: Partial<RedisPort> = {
    isCluster: true,
    send,
    connectionOf: () => undefined,
    suspect() {},
    translate: (error) => error as CacheError,
  }
  return new DeadlinePort(port as RedisPort, TIMEOUT_MS, TIMEOUT_MS)
}

async function expectTimeoutInTime(call: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now()
  await expect(call()).rejects.toMatchObject({ code: 'CACHE_TIMEOUT' })
  expect(performance.now() - startMs).toBeLessThan(SETTLED_WITHIN_MS)
}

describe.concurrent('P37 a command that has to be sent again shares the deadline of the first', () => {
  test('a script that the server does not know', async () => {
    const port = portThatRefuses('NOSCRIPT No matching script')
    await expectTimeoutInTime(() => new RedisScript('return 1', isFlag).run(port, 'key', [], 'text'))
  })

  test('reads of one tick in a slot that moves', async () => {
    const reads = new ReadBatcher(portThatRefuses('TRYAGAIN Multiple keys request'))
    await expectTimeoutInTime(() =>
      Promise.all(['{s}1', '{s}2', '{s}3'].map((key) => reads.read(key, key, RAW))),
    )
  })

  test('another command over keys in a slot that moves', async () => {
    const port = portThatRefuses('TRYAGAIN Multiple keys request')
    const unlink = (keys: readonly RedisArgument[], sinceMs?: number) =>
      port.send('{s}1', ['UNLINK', ...keys], 'text', sinceMs)
    await expectTimeoutInTime(() => sendSplittable(['{s}1', '{s}2'], unlink))
  })
})
