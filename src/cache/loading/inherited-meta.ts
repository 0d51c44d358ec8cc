import {
  type BoundGeneration,
  type EntryMeta,
  generationsBytes,
  MOST_GENERATIONS,
  MOST_GENERATIONS_BYTES,
} from '../../codec/envelope/entry-meta.ts'
import { isKeyGeneration, isSameGeneration, isTagKey, namespaceOf } from '../../foundation/reserved-keys.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { MOST_TAGS } from '../freshness/policies.ts'
import type { LoadInheritance, Refusal } from '../inheritance/inheritance.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LateTagKey } from '../tags/late-tags.ts'
import type { LoadRequest } from './load-request.ts'

/** What is stored with a loaded value. */
export interface StoredMeta {
  readonly meta: EntryMeta
  /** The time for which it is fresh, from the beginning of its load. */
  readonly freshMs: number
  /** The time for which it is kept in the shared tier, from now. */
  readonly keptMs: number
}

/** The present on both clocks. */
interface Present {
  readonly nowMs: number
  readonly serverNowMs: number
}

/** What is stored with a value whose load inherits nothing. */
export function ownMeta(meta: EntryMeta): StoredMeta {
  return { meta, freshMs: meta.ttlMs, keptMs: storedTtlMs(meta) }
}

/**
 * What is stored with a value, if its entry inherits from those that its loader has read. It is bound to their generations
 * too, is as old as the oldest of them, and is served as fresh, or as stale in either way, only as long as each of them is.
 *
 * A generation that the entry would be bound to twice, in two states, was replaced meanwhile: at most one of the two is the
 * current one. So nothing is ever bound to a younger generation than its content was made of.
 */
export function inheritedMeta(
  own: EntryMeta,
  inherited: LoadInheritance,
  request: Pick<LoadRequest, 'generationKeys' | 'storedKey'>,
  present: Present,
): StoredMeta | Refusal {
  if (inherited.refusal !== undefined) return inherited.refusal
  const generations = unionOf(own.generations, inherited.generations)
  if (generations === undefined) return { reason: 'invalidated', part: undefined }
  if (areTooMany(generations)) return { reason: 'too-many', part: undefined }
  if (inherited.generations.size === 0) return ownMeta(own)
  const within = [...inherited.generations.keys()].find((key) => feignsNamespace(key, request))
  if (within !== undefined) return { reason: 'own-namespace', part: namespaceOf(within) }
  return shortened({ ...own, generations }, inherited, present)
}

/** Whether an entry cannot be bound to so many generations, or to such long names. */
function areTooMany(generations: readonly BoundGeneration[]): boolean {
  const tags = generations.filter(({ storedKey }) => isTagKey(storedKey)).length
  if (tags > MOST_TAGS || generations.length > MOST_GENERATIONS) return true
  return generationsBytes({ generations }) > MOST_GENERATIONS_BYTES
}

function unionOf(
  own: readonly BoundGeneration[],
  inherited: ReadonlyMap<string, string>,
): readonly BoundGeneration[] | undefined {
  const byKey = new Map(own.map(({ generation, storedKey }) => [storedKey, generation]))
  for (const [storedKey, generation] of inherited) {
    if ((byKey.get(storedKey) ?? generation) !== generation) return undefined
    byKey.set(storedKey, generation)
  }
  return Array.from(byKey, ([storedKey, generation]) => ({ storedKey, generation }))
}

/**
 * Whether a generation would make the entry one of a namespace that its key lies in, but that it is not stored through. What
 * the cache around a namespace stores under a key of it is not served there.
 */
function feignsNamespace(
  generationKey: string,
  { generationKeys, storedKey }: Pick<LoadRequest, 'generationKeys' | 'storedKey'>,
): boolean {
  if (isTagKey(generationKey) || isKeyGeneration(generationKey)) return false
  if (!storedKey.startsWith(namespaceOf(generationKey))) return false
  return !generationKeys.some((own) => isSameGeneration(own, generationKey))
}

/**
 * The entry with the earliest of all times. Its stale windows are also no longer than those of its parts: an expired tag
 * begins all of them at once, however long the parts would have been fresh.
 */
function shortened(
  meta: EntryMeta,
  inherited: LoadInheritance,
  { nowMs, serverNowMs }: Present,
): StoredMeta | Refusal {
  const onServer = (ms: number) => ms - nowMs + serverNowMs
  const createdAtMs = Math.max(0, Math.min(meta.createdAtMs, onServer(inherited.bornMs)))
  const untilMs = Math.min(meta.createdAtMs + meta.ttlMs, onServer(inherited.freshUntilMs))
  const windowMs = (longestMs: number, inheritedUntilMs: number) =>
    untilMs === Number.POSITIVE_INFINITY
      ? longestMs
      : Math.max(0, Math.floor(Math.min(longestMs, onServer(inheritedUntilMs) - untilMs)))
  const staleWhileRevalidateMs = windowMs(
    Math.min(meta.staleWhileRevalidateMs, inherited.staleWhileRevalidateMs),
    inherited.staleWhileRevalidateUntilMs,
  )
  const staleIfErrorMs = windowMs(
    Math.min(meta.staleIfErrorMs, inherited.staleIfErrorMs),
    inherited.staleIfErrorUntilMs,
  )
  // Whoever waits for this load could not be served what is neither fresh nor may be served meanwhile.
  if (untilMs + staleWhileRevalidateMs <= serverNowMs) return { reason: 'expired', part: undefined }
  const ttlMs = Math.max(0, Math.floor(untilMs - createdAtMs))
  const lasting = { ...meta, createdAtMs, ttlMs, staleWhileRevalidateMs, staleIfErrorMs }
  return {
    meta: lasting,
    freshMs: Math.max(0, Math.floor(untilMs - meta.createdAtMs)),
    keptMs: Math.max(1, Math.ceil(storedTtlMs(lasting) + createdAtMs - serverNowMs)),
  }
}

/**
 * The generations of a stale value that its loader has confirmed. They were the current ones before the loader began, like
 * those that are captured (G2): of an expired one, that after the expiry. If the loader has read what is bound to the one
 * before, the value is stale with it.
 */
export function keptOf(
  { generationSet: { bound, judgedBy } }: LocalEntry,
  inherited: LoadInheritance | undefined,
): readonly BoundGeneration[] {
  return bound.map((one, index) =>
    inherited?.generations.get(one.storedKey) === one.generation ? one : (judgedBy[index] as BoundGeneration),
  )
}

/** The generations that a value depends on by way of what its loader has read. */
export function inheritedKeys(
  inherited: LoadInheritance | undefined,
  { generationKeys }: Pick<LoadRequest, 'generationKeys'>,
): readonly LateTagKey[] {
  return inherited?.depends.filter(({ tagKey }) => !generationKeys.includes(tagKey)) ?? []
}
