import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'

const MAIN = fileURLToPath(new URL('../../build/examples/server/main.js', import.meta.url))

const scene = useScene({ caches: { prefix: 'shop:', staleWhileRevalidate: '1h', ttl: '1m' } })
useBuild('examples')

/** What the server was answered, or `undefined` if its connection was closed. */
interface Answer {
  readonly status: number | undefined
  readonly text: string
  readonly connection: string | undefined
}

/** The slow source of the server: it answers when the test says so. */
async function startSource() {
  const held = new Map<string, ServerResponse>()
  const source = createServer(({ url = '/' }, response) => held.set(url.slice(1), response))
  await once(source.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    source.closeAllConnections()
    source.close()
  })
  return {
    url: urlOf(source.address() as AddressInfo),
    isAsked: (id: string) => held.has(id),
    answer: (id: string) => held.get(id)?.end(`product ${id}`),
  }
}

async function startServer(sourceUrl: string, redisUrl: string, environment: object = {}) {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, PORT: '0', REDIS_URL: redisUrl, SOURCE_URL: sourceUrl, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = { out: '', errors: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    said.out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said.errors += chunk
  })
  await waitUntil(() => said.out.includes('listening'), { what: 'the server to listen' })
  const port = Number(/port: (\d+)/.exec(said.out)?.[1])
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  return {
    errors: () => said.errors,
    ended: once(child, 'exit'),
    terminate: () => child.kill('SIGTERM'),
    ask: (id: string, method = 'GET') => ask({ agent, port, path: `/${id}`, method, host: '127.0.0.1' }),
    isListening: async () => (await ask({ port, path: '/warm', host: '127.0.0.1' })).status !== undefined,
  }
}

function ask(options: object): Promise<Answer> {
  return new Promise((resolve) => {
    const nothing = () => resolve({ status: undefined, text: '', connection: undefined })
    const sent = request(options, async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      resolve({ status: response.statusCode, text, connection: response.headers.connection })
    })
    sent.on('error', nothing).end()
  })
}

const urlOf = ({ port }: AddressInfo) => `http://127.0.0.1:${port}`

test('SIGTERM under load: every request is answered, leases are given back, and the server ends by itself', async () => {
  const source = await startSource()
  const server = await startServer(source.url, scene.redis.url)
  const other = await scene.open()
  const warm = server.ask('warm')
  await waitUntil(() => source.isAsked('warm'), { what: 'the first load' })
  source.answer('warm')
  expect(await warm).toMatchObject({ status: 200, text: 'product warm' })

  // A refresh that never ends holds a lease; two requests wait for each of the other loads.
  await other.set('product:old', 'an old product')
  await other.expire('product:old')
  expect(await server.ask('old')).toMatchObject({ status: 200, text: 'an old product' })
  const ids = ['a', 'b', 'c', 'd']
  const waiting = [...ids, ...ids].map((id) => server.ask(id))
  await waitUntil(() => ['old', ...ids].every(source.isAsked), { what: 'all loads to be under way' })
  expect(await scene.redis.ask('EXISTS', ...ids.map((id) => `shop:product:${id}`))).toBe(4)

  server.terminate()
  await waitUntil(async () => !(await server.isListening()), { what: 'nothing new to be accepted' })
  for (const id of ids) source.answer(id)
  const answers = await Promise.all(waiting)
  expect(answers).toEqual(
    [...ids, ...ids].map((id) => ({ status: 200, text: `product ${id}`, connection: 'close' })),
  )
  expect(await server.ended).toEqual([0, null])
  expect(server.errors()).toBe('')

  for (const id of ids) expect(await other.get(`product:${id}`)).toBe(`product ${id}`)
  // While another process held its lease, a stale value would only be served.
  expect(await other.getOrSet('product:old', () => 'a new product')).toBe('an old product')
  await other.idle()
  expect(await other.get('product:old')).toBe('a new product')
})

test('a request that is not answered in time loses its connection, and its lease is given back', async () => {
  const source = await startSource()
  const server = await startServer(source.url, scene.redis.url, { GRACE_MS: '200' })
  const waiting = server.ask('hanging')
  await waitUntil(() => source.isAsked('hanging'), { what: 'the load' })
  server.terminate()
  expect((await waiting).status).toBe(undefined)
  expect(await server.ended).toEqual([0, null])
  expect(await scene.redis.ask('EXISTS', 'shop:product:hanging')).toBe(0)
})

test('an invalidation that Redis has not acknowledged is delivered before the server ends', async () => {
  const redis = await scene.server()
  const server = await startServer((await startSource()).url, redis.url)
  const other = await scene.open({ redis: redis.url })
  await other.set('product:a', 'outdated')
  expect((await server.ask('a')).text).toBe('outdated')
  redis.pause()
  expect((await server.ask('a', 'DELETE')).status).toBe(503)
  redis.resume()
  server.terminate()
  expect(await server.ended).toEqual([0, null])
  expect(await redis.ask('EXISTS', 'shop:product:a')).toBe(0)
})

test('an invalidation that is lost with the server is reported', async () => {
  const redis = await scene.server()
  const server = await startServer((await startSource()).url, redis.url)
  await (await scene.open({ redis: redis.url })).set('product:a', 'outdated')
  expect((await server.ask('a')).text).toBe('outdated')
  await redis.kill()
  expect((await server.ask('a', 'DELETE')).status).toBe(503)
  server.terminate()
  expect(await server.ended).toEqual([0, null])
  expect(server.errors()).toMatch(/^shutdown CACHE_UNAVAILABLE .*not acknowledged \(1\)/m)
})
