import { afterAll, afterEach, beforeAll } from 'vitest'
import { NodeRedisCluster } from '../../src/redis/cluster/cluster.ts'
import { DeadlinePort } from '../../src/redis/port/deadline-port.ts'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import type { RecordedWatch } from './recorded-watch.ts'

export const TIMEOUTS = { commandTimeoutMs: 1_000, connectTimeoutMs: 5_000 }
/** Enough to be owned by every master. */
export const KEYS = Array.from({ length: 60 }, (_, number) => `key:${number}`)

/** A cluster of three masters with a replica each, and ports that are closed after each test. */
export interface RoutedCluster {
  readonly cluster: RedisCluster
  /** Called after the test, the latest first. */
  afterTest(close: () => unknown): void
  openPort(watch?: RecordedWatch): Promise<DeadlinePort>
}

export function useRoutedCluster(): RoutedCluster {
  let cluster: RedisCluster
  const closers: (() => unknown)[] = []
  beforeAll(async () => {
    cluster = await startCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 1_000 })
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })
  afterAll(() => cluster.stop())
  return {
    get cluster() {
      return cluster
    },
    afterTest: (close) => void closers.push(close),
    async openPort(watch) {
      const listener = { connected() {}, disconnected() {} }
      const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
      const router = new NodeRedisCluster({ nodes }, {}, TIMEOUTS, listener)
      const port = new DeadlinePort(router, TIMEOUTS.commandTimeoutMs, TIMEOUTS.connectTimeoutMs)
      closers.push(() => port.close())
      if (watch !== undefined) port.watch(watch)
      await port.connect()
      return port
    },
  }
}

export const readAll = (port: DeadlinePort) =>
  Promise.all(KEYS.map((key) => port.send(key, ['GET', key], 'text')))

/** Resolves when every key can be written and read. */
export async function servedAgain(port: DeadlinePort): Promise<void> {
  await waitUntil(
    async () => {
      await Promise.all(KEYS.map((key) => port.send(key, ['SET', key, key], 'text')))
      return (await readAll(port)).every((value, index) => value === KEYS[index])
    },
    { what: 'every key to be served again', timeoutMs: 20_000 },
  )
}
