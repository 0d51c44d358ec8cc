import { isDeepStrictEqual } from 'node:util'
import type { ReadThroughEvents } from '../contract/cache-events.ts'
import type { CacheCore } from './cache-core.ts'
import { LoadContext } from './load-context.ts'
import type { LoadRequest } from './load-request.ts'
import type { LocalEntry } from './local-entry.ts'

/** Verifications under way; samples beyond that are let go. */
const MOST_AT_A_TIME = 8

/**
 * Shadow verification: loads what was served once more, stores nothing, and tells whether the two differ. It measures
 * what no test can: how often the invalidations of a program miss something.
 *
 * A value that has just been changed at its source differs until its invalidation arrives, which is no defect. So a
 * difference counts only where the very same entry is still served after a grace.
 */
export class Verification {
  readonly #core: CacheCore
  #underWay = 0
  #verified = 0
  #stale = 0

  constructor(core: CacheCore) {
    this.#core = core
  }

  /** Entries that were compared, and those of them that were stale. */
  get totals(): { readonly verified: number; readonly stale: number } {
    return { verified: this.#verified, stale: this.#stale }
  }

  /** Compares in the background what was served with its source. */
  verify(request: LoadRequest, entry: LocalEntry): void {
    if (this.#underWay >= MOST_AT_A_TIME) return
    this.#underWay++
    const verifying = this.#verify(request, entry).finally(() => this.#underWay--)
    this.#core.background.follow('verify', request.key, verifying)
  }

  async #verify(request: LoadRequest, entry: LocalEntry): Promise<void> {
    const { codec, stopping } = this.#core
    const { key, loader, storedKey } = request
    // Without a stale value: what is to be verified must not have a say in it.
    const context = new LoadContext({ key, signal: () => stopping, stale: undefined })
    const loaded = await loader(context)
    if (context.isSkipped) return
    // As it would be if it had been stored and read.
    const source =
      loaded === undefined
        ? undefined
        : await codec.decode(storedKey, Buffer.from(codec.encode(storedKey, loaded) as string))
    const isEqual = isDeepStrictEqual(source, entry.isolated.value)
    if (isEqual) this.#tell(key, 'fresh')
    else this.#tell(key, (await this.#isStillServed(request, entry)) ? 'stale' : 'overtaken')
  }

  /** Whether others would still be served this very entry, after a grace for an invalidation that is on its way. */
  async #isStillServed(request: LoadRequest, { meta }: LocalEntry): Promise<boolean> {
    const { clock, reader, timers } = this.#core
    const { generationKeys, policies, storedKey } = request
    await new Promise<void>((resolve) => {
      timers.after(policies.verifyGraceMs, resolve)
    })
    const judgement = await reader.read(storedKey, generationKeys)
    if (judgement.state !== 'usable') return false
    const isFresh = clock.monotonicMs() < judgement.entry.freshUntilMs
    return isFresh && judgement.entry.meta?.stamp === meta?.stamp
  }

  #tell(key: string, verdict: ReadThroughEvents['verify']['verdict']): void {
    if (verdict !== 'overtaken') this.#verified++
    if (verdict === 'stale') this.#stale++
    const [verified, stale] = [this.#verified, this.#stale]
    const staleRate = verified === 0 ? 0 : stale / verified
    this.#core.policy.events.emit('verify', { key, verdict, verified, stale, staleRate })
  }
}
