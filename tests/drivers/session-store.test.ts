// connect-redis publishes no suite for session stores. These cases call a store of express-session directly, in the
// manner of its own tests. `express-session.test.ts` has the package itself call it.
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { CacheBackend } from 'cachewright'
import type { SessionData } from 'express-session'
import { beforeEach, expect, test } from 'vitest'
import { describeOnEachBackend } from './each-backend.ts'
import { SessionStore } from './session-store.ts'

const HOUR = 3_600_000
const RACES = 200

/** A session as express-session has it, with more data. The cookie ends in so many milliseconds, or has no end. */
function sessionOf(data: object, endsInMs?: number): SessionData {
  const expires = endsInMs === undefined ? null : new Date(Date.now() + endsInMs)
  return { cookie: { originalMaxAge: endsInMs ?? null, expires }, ...data } as SessionData
}

function callsOf(backend: CacheBackend<SessionData>) {
  const store = new SessionStore(backend)
  return {
    get: promisify(store.get.bind(store)) as (sid: string) => Promise<SessionData | null>,
    set: promisify(store.set.bind(store)) as (sid: string, session: SessionData) => Promise<void>,
    touch: promisify(store.touch.bind(store)) as (sid: string, session: SessionData) => Promise<void>,
    destroy: promisify(store.destroy.bind(store)) as (sid: string) => Promise<void>,
    all: promisify(store.all.bind(store)) as () => Promise<(SessionData & { id: string })[]>,
    ids: promisify(store.ids.bind(store)) as () => Promise<string[]>,
    length: promisify(store.length.bind(store)) as () => Promise<number>,
    clear: promisify(store.clear.bind(store)) as () => Promise<void>,
  }
}

describeOnEachBackend<SessionData>(
  { prefix: 'session-suite:', serializer: 'json', ttl: '1d' },
  ({ backend, isShared, open }) => {
    let store: ReturnType<typeof callsOf>
    beforeEach(async () => {
      store = callsOf(backend())
      await store.clear()
    })

    test('get finds what set has stored, and null for a missing session', async () => {
      expect(await store.get('missing')).toBeNull()
      const session = sessionOf({ user: 'Ada', cart: [1, { two: 'é' }], empty: null }, HOUR)
      await store.set('123', session)
      expect(await store.get('123')).toEqual(JSON.parse(JSON.stringify(session)))
      await store.set('123', sessionOf({ user: 'Bob' }))
      expect(await store.get('123')).toMatchObject({ user: 'Bob' })
    })

    test('a session lives as long as its cookie, or for the default', async () => {
      await store.set('hour', sessionOf({}, HOUR))
      await store.set('default', sessionOf({}))
      const left = await backend().getTtlMany(['hour', 'default'])
      expect(left.get('hour')).toBeGreaterThan(3_500)
      expect(left.get('hour')).toBeLessThanOrEqual(3_600)
      expect(left.get('default')).toBeGreaterThan(86_300)
    })

    test('set and touch with a cookie that has ended destroy the session', async () => {
      for (const call of [store.set, store.touch]) {
        await store.set('123', sessionOf({}, HOUR))
        await call('123', sessionOf({}, -1))
        expect(await store.get('123')).toBeNull()
      }
    })

    test('touch changes the time to live alone', async () => {
      await store.set('123', sessionOf({ user: 'Ada' }, HOUR))
      await store.touch('123', sessionOf({ user: 'not stored' }, 2 * HOUR))
      expect(await backend().getTtl('123')).toBeGreaterThan(7_000)
      expect(await store.get('123')).toMatchObject({ user: 'Ada' })
      await store.touch('123', sessionOf({}))
      expect(await backend().getTtl('123')).toBeGreaterThan(86_300)
    })

    test('destroy removes a session, and touch creates none', async () => {
      await store.set('123', sessionOf({}))
      await store.destroy('123')
      await store.destroy('missing')
      await store.touch('123', sessionOf({}, HOUR))
      expect(await store.get('123')).toBeNull()
      expect(await store.length()).toBe(0)
    })

    test('all, ids and length tell of every session, and clear ends them', async () => {
      const ids = Array.from({ length: 1_200 }, (_, index) => `sid-${index}`).toSorted()
      await Promise.all(ids.map((id) => store.set(id, sessionOf({ of: id }, HOUR))))
      expect(await store.length()).toBe(ids.length)
      expect((await store.ids()).toSorted()).toEqual(ids)
      const all = (await store.all()) as (SessionData & { id: string; of: string })[]
      expect(all.map(({ id }) => id).toSorted()).toEqual(ids)
      expect(all.every(({ id, of }) => id === of)).toBe(true)
      await store.clear()
      expect(await store.length()).toBe(0)
      expect(await store.all()).toEqual([])
    })

    test(`a destroyed session stays destroyed, whenever a touch comes (${RACES} races)`, async () => {
      const other = isShared ? callsOf(open()) : store
      for (let race = 0; race < RACES; race++) {
        const sid = `race-${race}`
        await store.set(sid, sessionOf({}, HOUR))
        const touch = other.touch(sid, sessionOf({}, HOUR))
        // So that the destruction comes at each moment of the touch.
        for (let turn = race % 8; turn > 0; turn--) await setImmediate()
        await Promise.all([touch, store.destroy(sid), other.touch(sid, sessionOf({}, HOUR))])
        expect(await store.get(sid)).toBeNull()
      }
      expect(await store.length()).toBe(0)
    })
  },
)
