import type { BackgroundOptions } from '../../contract/background-hook.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { AgeOptions } from '../freshness/policy-options.ts'

/** Options of `reserve`. */
export interface ReserveOptions extends AgeOptions, BackgroundOptions {
  /** Tags by which the value can be invalidated, at most 64. An entry that lacks one of them is no hit. @default none */
  readonly tags?: readonly string[] | undefined
  /**
   * `true` makes the slot the only load of its key in all processes: while another caller or process loads the key, this
   * call waits for that value, and if that load fails, for its own turn. An open slot holds a lease, which is renewed until
   * it is filled or released, or `lease.longestLoad` has passed. `hardTimeout` of the namespace bounds the wait.
   *
   * `false` waits for nobody. Several callers may hold a slot of the same key, and the first fill wins.
   * @default false
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare function render(path: string): Promise<string>
   * const cache = createCache({ prefix: 'shop:' })
   *
   * async function page(path: string): Promise<string> {
   *   await using slot = await cache.reserve<string>(`page:${path}`, { wait: true }) // released if render throws
   *   if (slot.isHit) return slot.value
   *   const html = await render(path)
   *   await slot.fill(html, '5m')
   *   return html
   * }
   * ```
   */
  readonly wait?: boolean | undefined
  /** Ends the wait: the promise rejects with the signal's reason. It has no effect on a slot. */
  readonly signal?: AbortSignal | undefined
}

/** The names of {@link ReserveOptions}. */
export const RESERVE_OPTIONS: KnownOptions = {
  of: 'reserve',
  names: {
    tags: 'value',
    wait: 'value',
    maxAge: 'duration',
    signal: 'value',
    background: 'value',
  } satisfies OptionNames<ReserveOptions>,
}
