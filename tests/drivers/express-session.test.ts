// express-session, the published package, uses a thin store over Redis. Two HTTP servers stand for two processes of one
// site: each has a store of its own, and a client may talk to either.
import { RedisCacheBackend } from 'cachewright/redis'
import session, { type SessionData, type SessionOptions } from 'express-session'
import { request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { type Handler, useOriginServer } from './origin-server.ts'
import { SessionStore } from './session-store.ts'

const scene = useScene()
const servers = [useOriginServer(), useOriginServer()] as const
const HOUR = 3_600_000

type Request = Parameters<Handler>[0] & {
  session: session.Session & { user?: string; views?: number }
  sessionID: string
}

/** Work that a request waits for when it asks for `/slow`. */
type Work = () => Promise<unknown>

/** Has both servers keep sessions in Redis, each over a backend of its own. */
function serveSessions({
  url = scene.redis.url,
  ...more
}: { url?: string; work?: Work } & Partial<SessionOptions> = {}) {
  const { work = async () => {}, ...options } = more
  return servers.map((server) => {
    const backend = new RedisCacheBackend<SessionData>({
      ...{ url, prefix: 'sessions:', ttl: '1d', errors: 'throw', commandTimeout: '5s' },
    })
    onTestFinished(() => backend.shutdown())
    const middleware = session({
      ...{ store: new SessionStore(backend), secret: 'a secret of the tests' },
      ...{ resave: false, saveUninitialized: false, cookie: { maxAge: HOUR } },
      ...options,
    })
    server.answer((incoming, response) => {
      const end = (status: number, text = '') => {
        response.statusCode = status
        response.end(text)
      }
      middleware(incoming as never, response as never, (error: unknown) => {
        if (error !== undefined) end(500, String(error))
        else route(incoming as Request, end, work)
      })
    })
    return backend
  })
}

function route(
  { session, sessionID, url }: Request,
  end: (status: number, text?: string) => void,
  work: Work,
): void {
  const then = (error: unknown) => (error ? end(500, String(error)) : end(200))
  const actions: Record<string, () => void> = {
    '/login': () => {
      session.user = 'Ada'
      end(200, sessionID)
    },
    '/view': () => {
      session.views = (session.views ?? 0) + 1
      end(200, `${session.views}`)
    },
    '/who': () => end(session.user === undefined ? 401 : 200, session.user),
    '/slow': () => void work().then(() => end(200)),
    '/new': () => session.regenerate(then),
    '/logout': () => session.destroy(then),
  }
  actions[url ?? '']?.()
}

/** A browser with one cookie. */
class Client {
  #cookie: string | undefined

  async ask(path: string, server = 0): Promise<{ status: number; text: string }> {
    const headers = this.#cookie === undefined ? {} : { cookie: this.#cookie }
    const {
      body,
      headers: received,
      statusCode,
    } = await request(`${servers[server]?.url}${path}`, { headers })
    const set = received['set-cookie']
    if (set !== undefined) this.#cookie = String(set).split(';', 1)[0]
    return { status: statusCode, text: await body.text() }
  }
}

test('a session is kept from request to request, in both processes', async () => {
  serveSessions()
  const client = new Client()
  await client.ask('/login')
  expect(await client.ask('/who', 1)).toEqual({ status: 200, text: 'Ada' })
  expect((await client.ask('/view', 0)).text).toBe('1')
  expect((await client.ask('/view', 1)).text).toBe('2')
  expect((await client.ask('/view', 0)).text).toBe('3')
  expect((await new Client().ask('/who')).status).toBe(401)
})

test('a session that holds nothing is not stored', async () => {
  const [backend] = serveSessions()
  await new Client().ask('/who')
  expect(await scene.redis.ask('DBSIZE')).toBe(0)
  expect(await backend?.exists('anything')).toBe(false)
})

test('a request that changes nothing renews the time to live, and writes no session', async () => {
  const [backend, other] = serveSessions()
  const client = new Client()
  const { text: sid } = await client.ask('/login')
  await backend?.touch(sid, 10)
  let writes = 0
  for (const each of [backend, other]) each?.on('set', () => writes++)
  await client.ask('/who', 1)
  expect(await backend?.getTtl(sid)).toBeGreaterThan(3_500)
  expect(writes).toBe(0)
})

test('a session ends with its cookie', async () => {
  const [backend] = serveSessions({ cookie: { maxAge: 200 } })
  const client = new Client()
  const { text: sid } = await client.ask('/login')
  await waitUntil(async () => !(await backend?.exists(sid)), { what: 'the session to end' })
  expect((await client.ask('/who')).status).toBe(401)
})

test('logout ends a session in both processes', async () => {
  const [backend] = serveSessions()
  const client = new Client()
  const { text: sid } = await client.ask('/login')
  await client.ask('/who', 1)
  await client.ask('/logout', 0)
  expect((await client.ask('/who', 1)).status).toBe(401)
  expect(await backend?.exists(sid)).toBe(false)
})

test('regenerate begins another session and ends the first', async () => {
  const [backend] = serveSessions()
  const client = new Client()
  const { text: sid } = await client.ask('/login')
  expect((await client.ask('/new')).status).toBe(200)
  expect(await backend?.exists(sid)).toBe(false)
  expect((await client.ask('/who')).status).toBe(401)
})

test('a request that began before a logout does not bring the session back when it ends', async () => {
  let begin = () => {}
  let finish = () => {}
  const work = async () => {
    begin()
    await new Promise<void>((finished) => {
      finish = finished
    })
  }
  const [backend] = serveSessions({ work })
  for (let turn = 0; turn < 20; turn++) {
    const client = new Client()
    const { text: sid } = await client.ask('/login')
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const slow = client.ask('/slow', 0)
    await begun
    const logout = client.ask('/logout', 1)
    // Every other time, both end at once.
    if (turn % 2 === 0) await logout
    finish()
    await Promise.all([slow, logout])
    expect(await backend?.exists(sid)).toBe(false)
  }
})

test('a store that cannot be reached is an error of the request, and not an empty session', async () => {
  const server = await scene.server()
  serveSessions({ url: server.url })
  const client = new Client()
  await client.ask('/login')
  await server.kill()
  const { status, text } = await client.ask('/who')
  expect(status).toBe(500)
  expect(text).toContain('CacheError')
})
