import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort } from '../../testbed/free-port.ts'
import { startCluster } from '../../testbed/redis-cluster.ts'
import { askRedis } from '../../testbed/redis-command.ts'
import { startRedisProcess } from '../../testbed/redis-process.ts'
import { startSentinel } from '../../testbed/redis-sentinel.ts'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { tracesOf } from './traces.ts'

const TIMEOUT_MS = 60_000

// What a test started and has not stopped itself; a failed test must not disturb the next.
const started: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
})

async function cleanedUp<S extends { stop(): Promise<void> }>(start: Promise<S>): Promise<S> {
  const server = await start
  started.push(server)
  return server
}

describe('a standalone server', () => {
  test('answers, stops, and leaves no process or directory', async () => {
    const redis = await cleanedUp(startStandalone())
    expect(await redis.ask('SET', 'key', 'grüße')).toBe('OK')
    expect(await askRedis({ port: redis.port }, 'GET', 'key')).toBe('grüße')
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`)
    const left = tracesOf([redis.process])
    expect(left()).not.toEqual([])
    await redis.stop()
    await redis.stop()
    expect(left()).toEqual([])
  })

  test('takes arguments that override its own', async () => {
    const redis = await cleanedUp(startStandalone({ args: ['--maxmemory', '5mb', '--save', '60 1'] }))
    expect(await redis.ask('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '5242880'])
    expect(await redis.ask('CONFIG', 'GET', 'save')).toEqual(['save', '60 1'])
  })

  test('is silent while paused, and answers again when resumed', async () => {
    const redis = await cleanedUp(startStandalone())
    redis.pause()
    await expect(askRedis({ port: redis.port, timeoutMs: 100 }, 'PING')).rejects.toThrow(
      'no answer for 100 ms',
    )
    redis.resume()
    expect(await redis.ask('PING')).toBe('PONG')
  })

  test('stops while paused', async () => {
    const redis = await cleanedUp(startStandalone())
    const left = tracesOf([redis.process])
    redis.pause()
    await redis.stop()
    expect(left()).toEqual([])
  })

  test('comes back on the same port, empty, after a restart and after a crash', async () => {
    const redis = await cleanedUp(startStandalone())
    for (const end of [() => Promise.resolve(), () => redis.kill()]) {
      await redis.ask('SET', 'key', 'value')
      const before = redis.process.pid
      await end()
      await redis.restart()
      expect(redis.process.pid).not.toBe(before)
      expect(await askRedis({ port: redis.port }, 'DBSIZE')).toBe(0)
    }
  })

  test('refuses connections once killed', async () => {
    const redis = await cleanedUp(startStandalone())
    await redis.kill()
    expect(redis.process.pid).toBeUndefined()
    await expect(askRedis({ port: redis.port }, 'PING')).rejects.toThrow('ECONNREFUSED')
  })

  test('speaks TLS with a certificate of its authority', async () => {
    const redis = await cleanedUp(startStandalone({ tls: true }))
    expect(redis.url).toBe(`rediss://127.0.0.1:${redis.port}`)
    expect(await askRedis({ port: redis.port, tls: { ca: redis.ca } }, 'PING')).toBe('PONG')
    await expect(askRedis({ port: redis.port, tls: {} }, 'PING')).rejects.toThrow('self-signed certificate')
  })

  test('listens on a Unix socket alone', async () => {
    const redis = await cleanedUp(startStandalone({ unixSocket: true }))
    expect(redis.url).toBe(`unix://${redis.socketPath}`)
    expect(await askRedis({ path: redis.socketPath }, 'CONFIG', 'GET', 'port')).toEqual(['port', '0'])
  })

  test('asks for a password', async () => {
    const redis = await cleanedUp(startStandalone({ password: 'p@ss word' }))
    expect(new URL(redis.url).password).toBe('p%40ss%20word')
    expect(await redis.ask('PING')).toBe('PONG')
    await expect(askRedis({ port: redis.port }, 'PING')).rejects.toThrow('NOAUTH')
    await expect(askRedis({ port: redis.port, password: 'wrong' }, 'PING')).rejects.toThrow('WRONGPASS')
  })

  test('keeps the users of an ACL file', async () => {
    const aclFile = 'user default off\nuser reader on >secret ~cache:* +get'
    const redis = await cleanedUp(startStandalone({ aclFile, username: 'reader', password: 'secret' }))
    expect(await redis.ask('GET', 'cache:a')).toBeNull()
    await expect(redis.ask('GET', 'other')).rejects.toThrow('NOPERM')
  })
})

describe('a port', () => {
  test('is not given twice, or while a process listens on it', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort({ withBus: true })))
    expect(new Set(ports).size).toBe(50)
    expect(Math.max(...ports)).toBeLessThanOrEqual(55_535)
  })

  test('that is taken fails the start with the log of the server', async () => {
    const squatter = createServer().listen(await freePort(), '127.0.0.1')
    await once(squatter, 'listening')
    const address = squatter.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    await expect(startRedisProcess({ port: address.port })).rejects.toThrow('Address already in use')
    squatter.close()
  })

  test('is not needed to report a bad argument', async () => {
    await expect(startStandalone({ args: ['--no-such-option', '1'] })).rejects.toThrow('no-such-option')
  })
})

describe('a cluster', () => {
  test('is complete, migrates a slot, fails over, and leaves nothing', { timeout: TIMEOUT_MS }, async () => {
    const cluster = await cleanedUp(startCluster())
    const left = tracesOf(cluster.nodes)
    const [from = 0, to = 0] = await cluster.masters()
    expect(cluster.nodes).toHaveLength(6)
    for (const { port } of cluster.nodes) {
      expect(await askRedis({ port }, 'CLUSTER', 'INFO')).toContain('cluster_state:ok')
    }

    const key = await keyAt(from)
    const slot = await cluster.slotOf(key)
    await cluster.ask(from, 'SET', key, 'value')
    await cluster.beginMigration(slot, from, to)
    await expect(cluster.ask(from, 'GET', `{${key}}absent`)).rejects.toThrow(`ASK ${slot} 127.0.0.1:${to}`)
    expect(await cluster.ask(from, 'GET', key)).toBe('value')
    await cluster.finishMigration(slot, from, to)
    await expect(cluster.ask(from, 'GET', key)).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to}`)
    expect(await cluster.ask(to, 'GET', key)).toBe('value')
    expect(await cluster.masterOf(slot)).toBe(to)

    await cluster.node(to).kill()
    await waitUntil(async () => (await cluster.masterOf(slot)) !== to, { what: 'a replica to take over' })
    await cluster.node(to).restart()
    await cluster.whole(1)
    expect(await cluster.masters()).not.toContain(to)

    await cluster.stop()
    expect(left()).toEqual([])

    async function keyAt(port: number): Promise<string> {
      for (let n = 0; ; n++)
        if ((await cluster.masterOf(await cluster.slotOf(`key${n}`))) === port) return `key${n}`
    }
  })

  test('can do without replicas', { timeout: TIMEOUT_MS }, async () => {
    const cluster = await cleanedUp(startCluster({ replicasPerMaster: 0 }))
    expect((await cluster.masters()).sort()).toEqual(cluster.nodes.map(({ port }) => port).sort())
  })
})

describe('sentinels', () => {
  test('agree on the primary, change it both ways, and leave nothing', { timeout: TIMEOUT_MS }, async () => {
    const testbed = await cleanedUp(startSentinel())
    const left = tracesOf([testbed.primary, testbed.replica, ...testbed.sentinels])
    await testbed.primary.ask('SET', 'key', 'value')
    expect(await testbed.failover()).toBe(testbed.replica)
    expect(await testbed.replica.ask('SET', 'key', 'newer')).toBe('OK')
    await expect(testbed.primary.ask('SET', 'key', 'value')).rejects.toThrow('READONLY')
    expect(await testbed.failover()).toBe(testbed.primary)
    await testbed.stop()
    expect(left()).toEqual([])
  })

  test('change the primary although the machine kept them waiting before', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const testbed = await cleanedUp(startSentinel())
    for (const sentinel of testbed.sentinels) sentinel.pause()
    await pause(2_200) // after 2 s they distrust what they see (TILT mode)
    for (const sentinel of testbed.sentinels) sentinel.resume()
    expect(await testbed.failover()).toBe(testbed.replica)
  })

  test('replace a primary that died', { timeout: TIMEOUT_MS }, async () => {
    const testbed = await cleanedUp(startSentinel())
    await testbed.primary.kill()
    await waitUntil(async () => (await testbed.current()) === testbed.replica, { what: 'the failover' })
    await testbed.primary.restart()
    await testbed.settled()
  })
})

describe('a run that ends without stopping its servers leaves none behind', () => {
  const endings: [how: string, end: (parent: ChildProcess) => void, option?: string][] = [
    ['killed by SIGKILL', (parent) => parent.kill('SIGKILL')],
    ['interrupted by SIGINT', (parent) => parent.kill('SIGINT')],
    ['ended by SIGTERM', (parent) => parent.kill('SIGTERM')],
    ['killed while a server is paused', (parent) => parent.kill('SIGKILL'), 'pause'],
    ['cut off from the runner that forked it', (parent) => parent.disconnect(), 'fork'],
    ['having nothing more to do', () => {}, 'return'],
    ['by an uncaught error', () => {}, 'throw'],
  ]
  test.each(endings)('%s', { timeout: TIMEOUT_MS }, async (_how, end, option = 'wait') => {
    const script = `
      import { runnerImport } from 'vite'
      const { module } = await runnerImport('./testbed/redis-process.ts')
      const servers = await Promise.all([module.startRedisProcess(), module.startRedisProcess()])
      console.log(JSON.stringify(servers.map(({ pid, directory }) => ({ pid, directory }))))
      const option = ${JSON.stringify(option)}
      if (option === 'pause') servers[0].pause()
      if (option === 'throw') throw new Error('uncaught')
      if (option !== 'return') setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore', ...(option === 'fork' ? (['ipc'] as const) : [])],
    })
    if (parent.stdout === null) throw new Error('no output')
    const [line] = await once(createInterface(parent.stdout), 'line')
    const left = tracesOf(JSON.parse(String(line)))
    end(parent)
    await waitUntil(() => left().length === 0, { what: 'the watchdog', timeoutMs: 5000 })
    parent.kill('SIGKILL')
  })
})
