import { globMatcher } from '../../src/foundation/glob-matcher.ts'
import type { Fleet } from './fleet.ts'
import type { KnownValue } from './history.ts'
import { printable } from './oracle.ts'
import { CLOCK_ERROR_MS, type Place, ROOT, TAGS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Writes and invalidations, those of other programs too: each makes older values old. */
export class NamespaceWrites {
  readonly #fleet: Fleet
  readonly #places: readonly Place[]

  constructor(fleet: Fleet, places: readonly Place[]) {
    this.#fleet = fleet
    this.#places = places
  }

  set(process: SimulatedProcess, at: Place): void {
    const tags = this.#fleet.choices.rarely(4) ? [] : at.tags
    const { invalidation, value } = this.#writeBegins(process, at, tags)
    this.#fleet.change(process, [invalidation], `set ${value.text} [${tags}]`, async () => {
      await this.#fleet.cacheOf(process, at).set(at.key, value.text, { tags })
      this.#fleet.oracle.wrote(process.id, value, (storedKey) => this.#fleet.touchedSoFar(storedKey))
    })
  }

  setMany(process: SimulatedProcess): void {
    const places = this.#places.filter(({ space }) => space === ROOT)
    const writes = places.map((at) => this.#writeBegins(process, at, ['t']))
    const entries = writes.map(({ value }, index) => [places[index]?.key as string, value.text] as const)
    const label = `setMany ${entries.map(([, text]) => text)} [t]`
    this.#fleet.change(
      process,
      writes.map(({ invalidation }) => invalidation),
      label,
      () => process.cache.setMany(entries as [string, string][], { tags: ['t'] }),
    )
  }

  #writeBegins(process: SimulatedProcess, at: Place, tags: readonly string[]) {
    const text = `${at.storedKey}@${this.#fleet.oracle.tick()}w`
    const tagKeys = new Set(tags.map((tag) => at.space.tagKey(tag)))
    const value: KnownValue = {
      ...{
        text,
        tagKeys,
        storedKey: at.storedKey,
        isPlain: false,
        isUncached: false,
        lastNewAt: this.#fleet.oracle.tick(),
      },
      ...{
        bornMs: this.#fleet.time.monotonicMs(),
        loadedAt: Number.NEGATIVE_INFINITY,
        servableMs: this.#fleet.servableMs,
      },
    }
    this.#fleet.oracle.learn(value)
    const invalidation = this.#fleet.oracle.began(
      `${process.id} set ${text}`,
      process.id,
      (one) => one.storedKey === at.storedKey && one !== value,
    )
    return { invalidation, value }
  }

  delete(process: SimulatedProcess, at: Place): void {
    const { key, storedKey } = at
    const label = `delete ${storedKey}`
    const invalidation = this.#fleet.began(process, label, (value) => value.storedKey === storedKey)
    this.#fleet.change(process, [invalidation], label, () => this.#fleet.cacheOf(process, at).delete(key))
  }

  deleteMany(process: SimulatedProcess): void {
    const invalidation = this.#fleet.began(process, 'deleteMany', ({ storedKey }) =>
      this.#places.some((at) => at.storedKey === storedKey),
    )
    const keys = this.#places.map(({ space, key }) => (space === ROOT ? key : `n:${key}`))
    this.#fleet.change(process, [invalidation], 'deleteMany', () => process.cache.deleteMany(keys))
  }

  invalidateTags(process: SimulatedProcess, at: Place): void {
    const tags = this.#fleet.choices.rarely(4) ? TAGS : [this.#fleet.choices.of(TAGS)]
    const tagKeys = tags.map((tag) => at.space.tagKey(tag))
    const label = `invalidateTags ${printable(tagKeys.join())}`
    const concerns = ({ tagKeys: borne }: KnownValue) => tagKeys.some((tagKey) => borne.has(tagKey))
    this.#fleet.change(process, [this.#fleet.began(process, label, concerns)], label, () =>
      this.#fleet.cacheOf(process, at).invalidateTags(tags),
    )
  }

  expire(process: SimulatedProcess, at: Place): void {
    const { key, storedKey } = at
    const label = `expire ${storedKey}`
    const concerns = (value: KnownValue) => value.storedKey === storedKey && !value.isPlain
    const invalidation = this.#fleet.began(process, label, concerns)
    invalidation.staleMs = this.#fleet.setting.staleMs
    this.#fleet.change(process, [invalidation], label, () => this.#fleet.cacheOf(process, at).expire(key))
  }

  expireTags(process: SimulatedProcess, at: Place): void {
    const tag = this.#fleet.choices.of(TAGS)
    const tagKey = at.space.tagKey(tag)
    const label = `expireTags ${printable(tagKey)}`
    const invalidation = this.#fleet.began(process, label, ({ tagKeys }) => tagKeys.has(tagKey))
    invalidation.staleMs = this.#fleet.setting.staleMs
    this.#fleet.change(process, [invalidation], label, () =>
      this.#fleet.cacheOf(process, at).expireTags([tag]),
    )
  }

  invalidatePattern(process: SimulatedProcess, at: Place): void {
    const pattern = this.#fleet.choices.of(['*', `${at.key}*`, '?'])
    const label = `invalidatePattern ${at.space.prefix}${pattern}`
    const matches = globMatcher(at.space.prefix + pattern)
    const invalidation = this.#fleet.began(process, label, ({ madeOf, storedKey }) => {
      // What is made of another entry is not reached by the removal of that one.
      return madeOf === undefined && matches(storedKey)
    })
    this.#fleet.change(process, [invalidation], label, () =>
      this.#fleet.cacheOf(process, at).invalidatePattern(pattern),
    )
  }

  clear(process: SimulatedProcess, at: Place): void {
    const { prefix } = at.space
    const invalidation = this.#fleet.began(process, `clear ${prefix}`, ({ madeOf, storedKey }) =>
      [storedKey, madeOf].some((one) => one?.startsWith(prefix)),
    )
    invalidation.isOfGenerations = true
    // A namespace whose values stay in the process lies in the cache as any other does.
    const cache = at.space === ROOT ? process.cache : this.#fleet.cacheOf(process, at)
    this.#fleet.change(process, [invalidation], `clear ${prefix}`, () => cache.clear())
  }

  foreignDelete({ storedKey }: Place): void {
    const label = `foreign DEL ${storedKey}`
    const invalidation = this.#fleet.oracle.began(label, undefined, (value) => value.storedKey === storedKey)
    this.#fleet.do('foreign DEL', storedKey, () => {
      this.#fleet.redis.foreignRemove(storedKey)
    })
    this.#fleet.oracle.settled(invalidation, true, this.#fleet.time.monotonicMs(), this.#fleet.marks())
  }

  foreignSet({ storedKey }: Place): void {
    const ttlMs = this.#fleet.choices.of([2_000, 600_000])
    const text = `${storedKey}@${this.#fleet.oracle.tick()}f`
    const value: KnownValue = {
      ...{
        text,
        storedKey,
        tagKeys: new Set(),
        isPlain: true,
        isUncached: false,
        lastNewAt: this.#fleet.oracle.tick(),
      },
      ...{
        bornMs: this.#fleet.time.monotonicMs(),
        loadedAt: Number.NEGATIVE_INFINITY,
        servableMs: ttlMs + CLOCK_ERROR_MS,
      },
    }
    this.#fleet.oracle.learn(value)
    const label = `foreign SET ${text}`
    const concerns = (one: KnownValue) => one.storedKey === storedKey && one !== value
    const invalidation = this.#fleet.oracle.began(label, undefined, concerns)
    this.#fleet.do('foreign SET', text, () =>
      this.#fleet.redis.write(storedKey, Buffer.from(JSON.stringify(text)), ttlMs),
    )
    value.lastNewAt = this.#fleet.oracle.tick()
    this.#fleet.oracle.settled(invalidation, true, this.#fleet.time.monotonicMs(), this.#fleet.marks())
  }

  flush(): void {
    const invalidation = this.#fleet.oracle.began('foreign FLUSHALL', undefined, () => true)
    this.#fleet.do('foreign FLUSHALL', '', () => this.#fleet.redis.flush(this.#fleet.links()))
    for (const storedKey of this.#fleet.touched.keys()) this.#fleet.touch(storedKey)
    this.#fleet.oracle.settled(invalidation, true, this.#fleet.time.monotonicMs(), this.#fleet.marks())
  }
}
