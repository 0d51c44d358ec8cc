import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const { redis } = scene

/** Answers by which a server refuses a command for the moment. */
const PASSING_REFUSALS = [
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'CLUSTERDOWN The cluster is down',
  'ERR max number of clients reached',
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'NOREPLICAS Not enough good replicas to write.',
  'TRYAGAIN Multiple keys request during rehashing of slot',
]
/** Answers by which a server says that it has no tracking, or that the user may not use it. */
const LASTING_REFUSALS = [
  "ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.",
  "NOPERM User default has no permissions to run the 'client|tracking' command",
]

/** Opens a cache whose first handshake is answered with an error, and then connects until it succeeds. */
async function afterRefusal(answer: string) {
  const proxy = await scene.proxy()
  let refused = 0
  proxy.garble = (reply) => {
    // The replies to HELLO and to the commands after it come together.
    if (refused > 0 || !reply.includes('+OK\r\n')) return reply
    refused++
    return Buffer.from(reply.toString('latin1').replaceAll('+OK\r\n', `-${answer}\r\n`), 'latin1')
  }
  const cache = scene.cache({ redis: proxy.url })
  await waitUntil(
    () =>
      cache.initialize().then(
        () => true,
        () => false,
      ),
    { what: 'a connection' },
  )
  expect(refused).toBe(1)
  return cache
}

describe('P31 a cache tracks what it reads as soon as the server lets it', () => {
  test.each(PASSING_REFUSALS)('after a handshake that was answered with "%s"', async (answer) => {
    const cache = await afterRefusal(answer)
    await cache.set('key', 1)
    expect(cache.coherence).toBe('tracking')
  })

  test('after the server had no connection left', async () => {
    const others = [connect(redis.port), connect(redis.port)]
    await Promise.all(others.map((other) => once(other, 'connect')))
    await redis.ask('CONFIG', 'SET', 'maxclients', '2')
    const cache = scene.cache()
    const loaded = await cache.getOrSet('key', async () => 'loaded without Redis')
    expect(loaded).toBe('loaded without Redis')
    for (const other of others) other.destroy()
    await waitUntil(
      () =>
        redis.ask('CONFIG', 'SET', 'maxclients', '1000').then(
          () => true,
          () => false,
        ),
      {
        what: 'the server to accept connections',
      },
    )
    await waitUntil(() => cache.set('key', 1), { what: 'a write' })
    expect(cache.coherence).toBe('tracking')
  })

  test.each(LASTING_REFUSALS)('but uses the bus after "%s"', async (answer) => {
    const cache = await afterRefusal(answer)
    await waitUntil(() => cache.coherence === 'bus', { what: 'the bus' })
  })
})
