import type { HitTier } from '../../contract/cache-events.ts'
import type { Answer } from '../flights/answer.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/** A value, and what the cache knows of it. Times are in seconds, with fractions. */
export interface CachedEntry<T = unknown> {
  /** Must not be changed. It is frozen if the cache freezes its values. */
  readonly value: T
  /**
   * How it was had. `'hit'`: a fresh value was found; `'stale'`: a stale one, within its stale windows; `'miss'`: it was
   * loaded for this call, alone or with others, and stored; `'skipped'`: it was loaded and not stored, because the loader
   * returned `undefined` or called `skip()`, because something was invalidated meanwhile, or because Redis is away.
   */
  readonly status: 'hit' | 'stale' | 'miss' | 'skipped'
  /** Where it was found: in this process, or in Redis; `undefined` if it was loaded. */
  readonly tier: HitTier | undefined
  /** The time since its load began, or that of the oldest part that it has inherited from (`inherit`); `undefined` if that is not known, as for a plain value, and for `'skipped'`. */
  readonly age: number | undefined
  /**
   * The time for which it stays fresh: negative since it ceased to be, `Infinity` if it never does; `undefined` for a plain
   * value, and for `'skipped'`.
   */
  readonly ttl: number | undefined
  /** Its tags, those that it has inherited in its namespace included; none for a plain value, and for `'skipped'`. */
  readonly tags: readonly string[]
  /**
   * A text of 11 letters, digits, `-` and `_` that names this one write of the value: another one each time a value is
   * stored, and the same in all processes and tiers. It can be an ETag. `undefined` for a plain value, and for `'skipped'`.
   */
  readonly stamp: string | undefined
}

/** Describes an entry. @param value what its caller gets of it */
export function cachedEntry<T>(
  entry: LocalEntry,
  value: T,
  {
    space,
    nowMs,
    ...how
  }: Pick<CachedEntry, 'status' | 'tier'> & {
    readonly space: KeySpace
    readonly nowMs: number
  },
): CachedEntry<T> {
  const { bornMs, freshUntilMs, generationSet, isPlain, stamp } = entry
  return {
    value,
    status: how.status,
    tier: how.tier,
    age: bornMs === undefined ? undefined : Math.max(0, nowMs - bornMs) / 1_000,
    ttl: isPlain ? undefined : (freshUntilMs - nowMs) / 1_000,
    tags: isPlain ? [] : generationSet.tagsOf(space),
    stamp: stamp === undefined ? undefined : Buffer.from(stamp, 'latin1').toString('base64url'),
  }
}

/** Describes what a flight has answered. */
export function answeredEntry<T>(answer: Answer<T>, space: KeySpace, nowMs: number): CachedEntry<T> {
  const { entry, served, stored, tier, value } = answer
  if (served !== undefined) {
    return cachedEntry(served, value, { status: entry === undefined ? 'stale' : 'hit', tier, space, nowMs })
  }
  if (stored !== undefined) {
    return cachedEntry(stored, value, { status: 'miss', tier: undefined, space, nowMs })
  }
  const nothing = { age: undefined, ttl: undefined, tags: [], stamp: undefined }
  return { value, status: 'skipped', tier: undefined, ...nothing }
}
