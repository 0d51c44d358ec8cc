import { isDeepStrictEqual } from 'node:util'
import type { ReadThroughEvents } from '../../contract/cache-events.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { LoadContext } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import { LoaderCall } from '../loading/loader-call.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/** Most verifications at a time; further samples are skipped. */
const MOST_AT_A_TIME = 8

/**
 * Shadow verification loads a served value once more, stores nothing, and reports whether the two differ. It measures
 * how often the invalidations of a program miss something, which no test can.
 *
 * A value that has just changed at its source differs until its invalidation arrives, which is no defect. So a
 * difference counts only if the same entry is still served after a grace period.
 */
export class ShadowVerification {
  readonly #core: CacheCore
  #underWay = 0
  #verified = 0
  #stale = 0

  constructor(core: CacheCore) {
    this.#core = core
  }

  /** How many entries were compared, and how many of them were stale. */
  get totals(): { readonly verified: number; readonly stale: number } {
    return { verified: this.#verified, stale: this.#stale }
  }

  /** Compares a served value with its source, in the background. */
  verify(request: LoadRequest, entry: LocalEntry): void {
    if (this.#underWay >= MOST_AT_A_TIME) return
    this.#underWay++
    const verifying = this.#inTurn(request, entry).finally(() => this.#underWay--)
    const { background, key, monitor } = request
    const followed = monitor.follow('verify', key, verifying)
    monitor.handOver(key, background, () => followed)
  }

  /** A verification is a load like any other. A batch loader waits for its turn itself. */
  async #inTurn(request: LoadRequest, entry: LocalEntry): Promise<void> {
    const place = request.shared === undefined ? this.#core.places.take(false) : undefined
    try {
      await place?.granted
      await this.#verify(request, entry)
    } finally {
      place?.end()
    }
  }

  async #verify(request: LoadRequest, entry: LocalEntry): Promise<void> {
    const { calls, inheritances, isolations, options, places, stopping } = this.#core
    const { key, loader, storedKey } = request
    // Nobody waits for it, so it takes part in no cycle, even if the hit was that of a loader.
    const isTracked = options.detectCycles || places.isLimited
    const call = new LoaderCall({ isTracked, inheritances, inheritance: undefined })
    try {
      const { context, loaded } = await this.#bounded(key, async (signal) => {
        // Without a stale value: the loader must not answer with the value that is verified.
        const context = new LoadContext({
          key,
          call,
          calls,
          isLeased: false,
          signal: () => signal,
          stale: undefined,
        })
        return { context, loaded: await call.run(() => loader(context)) }
      })
      if (context.isSkipped) return
      const source = await this.#asRead(storedKey, loaded)
      const served = entry.value
      const isEqual =
        isDeepStrictEqual(source, served) ||
        // With `isolate: 'share'` the served value is the loader's own, not a decoded one.
        (isolations.of(storedKey) === 'share' &&
          isDeepStrictEqual(source, await this.#asRead(storedKey, served)))
      if (isEqual) this.#tell(request, 'fresh')
      else this.#tell(request, (await this.#isStillServed(request, entry)) ? 'stale' : 'overtaken')
    } catch (error) {
      if (!stopping.aborted) throw error
    } finally {
      call.end()
    }
  }

  /** Gives up work that takes longer than a load may, or that is under way when the cache is closed. */
  async #bounded<Result>(key: string, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const { options, stopping, timers } = this.#core
    stopping.throwIfAborted()
    // Not the cache's own signal: listeners that a loader leaves on it would stay as long as the cache lives.
    const controller = new AbortController()
    const stop = () => controller.abort(stopping.reason)
    stopping.addEventListener('abort', stop, { once: true })
    const cancel = timers.after(options.longestLoadMs, () => {
      const message = 'The value was not loaded within lease.longestLoad'
      controller.abort(new CacheError('CACHE_LOADER_TIMEOUT', message, { operation: 'verify', key }))
    })
    try {
      return await Promise.race([work(controller.signal), whenAborted(controller.signal)])
    } finally {
      cancel()
      stopping.removeEventListener('abort', stop)
    }
  }

  /** The value as the cache would return it after storing and reading it. */
  async #asRead(storedKey: string, value: unknown): Promise<unknown> {
    if (value === undefined) return undefined
    const { codec } = this.#core
    return codec.decode(storedKey, Buffer.from(codec.encode(storedKey, value) as string))
  }

  /** Whether this entry is still served after the grace period. */
  async #isStillServed(request: LoadRequest, { stamp }: LocalEntry): Promise<boolean> {
    const { clock, reader } = this.#core
    const { generationKeys, policies, storedKey } = request
    await this.#pause(policies.verifyGraceMs)
    const judgement = await reader.read(storedKey, { generationKeys })
    if (judgement.state !== 'usable') return false
    const isFresh = clock.monotonicMs() < judgement.entry.freshUntilMs
    return isFresh && judgement.entry.stamp === stamp
  }

  /** @throws the reason of the cache's shutdown */
  async #pause(durationMs: number): Promise<void> {
    const { stopping, timers } = this.#core
    stopping.throwIfAborted()
    let end = () => {}
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = timers.after(durationMs, resolve)
        const stop = () => reject(stopping.reason)
        stopping.addEventListener('abort', stop, { once: true })
        end = () => {
          cancel()
          stopping.removeEventListener('abort', stop)
        }
      })
    } finally {
      end()
    }
  }

  #tell({ key, monitor }: LoadRequest, verdict: ReadThroughEvents['verify']['verdict']): void {
    if (verdict !== 'overtaken') this.#verified++
    if (verdict === 'stale') this.#stale++
    const [verified, stale] = [this.#verified, this.#stale]
    const staleRate = verified === 0 ? 0 : stale / verified
    monitor.verified(key, { verdict, verified, stale, staleRate })
  }
}

/** Rejects with the signal's reason. */
function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
