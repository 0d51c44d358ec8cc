import { checkedKeys, invalidArgument } from '../../backend/operations/operation-arguments.ts'
import { HOLD_WINDOW_MS } from '../../backend/seams/shared-tier.ts'
import { kindOf, shown } from '../../foundation/errors/shown-value.ts'
import { invalidOptions, type KnownOptions, type OptionNames } from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { CollectedWrites } from '../changes/open-changes.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { checkedTags } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { Holds, type Placed } from './holds.ts'
import type { NamespaceWrites, NamespaceWritesParts } from './namespace-writes.ts'

/** Options of `change`. */
export interface ChangeOptions {
  /** Keys to delete when the work has succeeded. @default none */
  readonly keys?: Iterable<string> | undefined
  /** Tags to invalidate when the work has succeeded, at most 64. @default none */
  readonly tags?: readonly string[] | undefined
  /**
   * For how long, in seconds or with a unit (`'10s'`, at most `'1m'`), `keys` and `tags` are held while the work runs: what
   * any process loads meanwhile goes to its callers and is not stored. It should be longer than the work takes.
   * `false` holds nothing: then a load that begins after the call and before the commit may store the old value until
   * the work has ended, and for its whole `ttl` if this process dies before that.
   * @default false
   */
  readonly hold?: Duration | false | undefined
}

const CHANGE_OPTIONS: KnownOptions = {
  of: 'change',
  names: { keys: 'value', tags: 'value', hold: 'duration' } satisfies OptionNames<ChangeOptions>,
}

/** {@link ChangeOptions}, checked. */
interface CheckedChange {
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  readonly holdMs: number | undefined
}

const NOTHING_PLACED: Placed = { holds: [], failures: [] }

/**
 * Runs changes of the source in one namespace, and sends what they invalidate when they have succeeded.
 *
 * ```
 * hold keys and tags ─▶ run the work, collect its writes ─ failed ─▶ drop them ────┐
 *                                │ succeeded                                       ▼
 *                                └────────▶ invalidate, send the writes ─▶ end the holds
 * ```
 *
 * An error of a commit does not tell whether the source has changed. So the end of a hold invalidates in any case.
 */
export class NamespaceChanges {
  readonly #core: CacheCore
  readonly #monitor: Monitor
  readonly #space: KeySpace
  readonly #writes: NamespaceWrites
  readonly #holds: Holds

  constructor({ core, monitor, space, writes }: NamespaceWritesParts, namespaceWrites: NamespaceWrites) {
    this.#core = core
    this.#monitor = monitor
    this.#space = space
    this.#writes = namespaceWrites
    this.#holds = new Holds(core, writes)
  }

  /** @throws what the work throws, or CacheError for a programming mistake; never because of Redis */
  async change<Result>(options: ChangeOptions, work: () => Result | Promise<Result>): Promise<Result> {
    const { changes, clock, opened } = this.#core
    const change = this.#checked(options, work)
    // The serializer has to be there when the work calls `set`.
    await opened()?.catch(() => {})
    const placed = await this.#hold(change)
    const writes = new CollectedWrites()
    const beganMs = clock.monotonicMs()
    const ended = (hasFailed: boolean) => {
      const durationMs = clock.monotonicMs() - beganMs
      return this.#end(change, placed, writes, { hasFailed, durationMs })
    }
    let result: Result
    try {
      result = await changes.run(writes, work)
    } catch (error) {
      await ended(true)
      throw error
    }
    const around = changes.current
    if (around === undefined) await ended(false)
    else around.add({ send: () => ended(false), drop: () => ended(true) })
    return result
  }

  /** @throws CacheError */
  #checked(options: ChangeOptions, work: unknown): CheckedChange {
    this.#core.calls.check(options, CHANGE_OPTIONS)
    if (typeof work !== 'function') throw invalidArgument(`The work must be a function, not ${kindOf(work)}`)
    const { hold = false } = options
    const keys = [...new Set(checkedKeys(options.keys ?? []))]
    const tags = checkedTags(options.tags)
    if (hold === false) return { keys, tags, holdMs: undefined }
    const holdMs = parseDuration(hold, 'hold', 'false holds nothing')
    if (holdMs > HOLD_WINDOW_MS) throw invalidOptions(`hold must be a minute at most, not ${shown(hold)}`)
    if (keys.length + tags.length === 0) throw invalidOptions('hold needs keys or tags to hold')
    return { keys, tags, holdMs }
  }

  /** If Redis does not answer, the work runs nevertheless: its end invalidates what could not be held. */
  async #hold({ holdMs, keys, tags }: CheckedChange): Promise<Placed> {
    if (holdMs === undefined) return NOTHING_PLACED
    const placed = await this.#holds.place(
      [...keys.map((key) => this.#space.storedKey(key)), ...tags.map((tag) => this.#space.tagKey(tag))],
      holdMs,
    )
    for (const failure of placed.failures) this.#monitor.publish('change', undefined, failure)
    return placed
  }

  /** Never rejects, since the outcome of the work is known. */
  async #end(
    { holdMs, keys, tags }: CheckedChange,
    { holds }: Placed,
    collected: CollectedWrites,
    { durationMs, hasFailed }: { readonly durationMs: number; readonly hasFailed: boolean },
  ): Promise<void> {
    const held = new Set(holds.map(({ storedKey }) => storedKey))
    const isInvalid = !hasFailed || holdMs !== undefined
    const unheldKeys = isInvalid ? keys.filter((key) => !held.has(this.#space.storedKey(key))) : []
    const unheldTags = isInvalid ? tags.filter((tag) => !held.has(this.#space.tagKey(tag))) : []
    const writes = collected.close()
    const [isHeld] = await Promise.all([
      this.#told(true, () => this.#holds.end(holds)),
      unheldKeys.length > 0 && this.#told(0, () => this.#writes.remove(unheldKeys)),
      unheldTags.length > 0 && this.#told(undefined, () => this.#writes.invalidateTags(unheldTags)),
      ...writes.map((write) => (hasFailed ? write.drop?.() : write.send())),
    ])
    this.#monitor.changed({
      ...{ keys, tags, durationMs, hasFailed },
      writes: hasFailed ? 0 : writes.length,
      hasOutlivedHold: !isHeld,
    })
  }

  /** The result of the work; its failure is told, and the fallback is the result. */
  async #told<Result>(fallback: Result, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      this.#monitor.publish('change', undefined, error)
      return fallback
    }
  }
}
