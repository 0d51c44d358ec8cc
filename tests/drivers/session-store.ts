import type { CacheBackend } from 'cachewright'
import { type SessionData, Store } from 'express-session'

type Callback<T> = (error: unknown, result?: T) => void

/**
 * A session store of express-session over a backend with the serializer `'json'` and `errors: 'throw'`. A session lives
 * as long as its cookie; that of a cookie without an end lives for the backend's `ttl`.
 */
export class SessionStore extends Store {
  readonly #backend: CacheBackend<SessionData>

  constructor(backend: CacheBackend<SessionData>) {
    super()
    this.#backend = backend
  }

  override get(sid: string, callback: Callback<SessionData | null>): void {
    answer(callback, async () => (await this.#backend.get(sid)) ?? null)
  }

  override set(sid: string, session: SessionData, callback?: Callback<void>): void {
    answer(callback, async () => {
      const ttl = secondsLeft(session)
      if (ttl !== undefined && ttl <= 0) await this.#backend.delete(sid)
      else await this.#backend.set(sid, session, ttl)
    })
  }

  override destroy(sid: string, callback?: Callback<void>): void {
    answer(callback, async () => void (await this.#backend.delete(sid)))
  }

  override touch(sid: string, session: SessionData, callback?: Callback<void>): void {
    answer(callback, async () => {
      const ttl = secondsLeft(session)
      if (ttl !== undefined && ttl <= 0) await this.#backend.delete(sid)
      else await this.#backend.touch(sid, ttl)
    })
  }

  override all(callback: Callback<SessionData[]>): void {
    answer(callback, async () => {
      const found = await this.#backend.getMany(await this.#ids())
      return [...found].flatMap(([id, session]) => (session === undefined ? [] : [{ ...session, id }]))
    })
  }

  ids(callback: Callback<string[]>): void {
    answer(callback, () => this.#ids())
  }

  override length(callback: Callback<number>): void {
    answer(callback, async () => (await this.#ids()).length)
  }

  override clear(callback?: Callback<void>): void {
    answer(callback, async () => void (await this.#backend.clear()))
  }

  async #ids(): Promise<string[]> {
    const ids: string[] = []
    for await (const id of this.#backend.keys()) ids.push(id)
    return ids
  }
}

function answer<T>(callback: Callback<T> = () => {}, call: () => Promise<T>): void {
  call().then((result) => callback(null, result), callback)
}

function secondsLeft({ cookie }: SessionData): number | undefined {
  const { expires } = cookie
  return expires ? (new Date(expires).getTime() - Date.now()) / 1_000 : undefined
}
