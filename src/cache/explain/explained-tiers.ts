import {
  type BoundGeneration,
  type EntryMeta,
  leaseDeadlineMs,
  readLease,
} from '../../codec/envelope/entry-meta.ts'
import { type GenerationValue, isExpired } from '../../codec/envelope/generation-value.ts'
import { readHold } from '../../codec/envelope/hold-mark.ts'
import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { isTagKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { isPassedBy } from '../freshness/copy-age.ts'
import { isTooOld, servableTo } from '../freshness/max-age.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { NO_VALUE } from '../local/isolation.ts'
import { LocalEntry } from '../local/local-entry.ts'
import { GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import { KnownGeneration } from '../tags/known-generation.ts'
import {
  explainGenerations,
  generationsOf,
  isUnknown,
  type JudgedGeneration,
  whyInvalid,
} from './explained-generations.ts'
import type { ExplainedLocal, ExplainedShared, ExplainedTimes, LocalRefusal } from './explanation.ts'
import type { SharedInspection } from './inspect-shared.ts'

/** The question that is explained: a key of a namespace, and the tags that its entry must have. */
export interface Asked {
  readonly space: KeySpace
  readonly storedKey: string
  readonly tags: readonly string[]
  /** Stored keys of the generations that the entry must depend on. */
  readonly generationKeys: readonly string[]
  readonly nowMs: number
  /** The age beyond which a value is stale for the call. */
  readonly maxAgeMs: number | undefined
  /** How long ago a local copy may have been read to count for the call. */
  readonly copyTtlMs: number | undefined
  /** Set if the call joins nothing that began before it. */
  readonly since: number | undefined
}

/** Milliseconds as seconds; `null` if there is no end. */
export function secondsOf(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : Math.round(ms) / 1_000
}

/**
 * The local copy, compared with the shared tier.
 * @param fits whether its value fits the schema of the collection
 */
export function explainLocal(
  core: CacheCore,
  asked: Asked,
  entry: LocalEntry | undefined,
  fits: boolean,
  look: SharedInspection,
): ExplainedLocal {
  const { copyTtlMs, generationKeys, maxAgeMs, nowMs, space, storedKey, tags } = asked
  if (entry === undefined) {
    const state = core.local.keeps(storedKey) ? 'absent' : 'off'
    return { state, serves: 'nothing', refusals: [], tags: [], namespaces: [] }
  }
  const isPassed = isPassedBy(entry, nowMs, copyTtlMs)
  const isGood = fits && !isPassed && core.isCoherent(entry, nowMs) && entry.covers(space, tags)
  const how = isGood ? servableTo(maxAgeMs, entry, nowMs) : 'no'
  const { believed, bound } = entry.generationSet
  const expected = generationKeysFor(entry.isPlain, generationKeys)
  const generations = explainGenerations(
    bound,
    { expected, space },
    look,
    (one) => believed.includes(one),
    core.tier,
  )
  const inShared = compare(entry, look)
  return {
    state: 'kept',
    serves: how === 'fresh' ? 'fresh' : how === 'revalidate' ? 'stale' : 'nothing',
    refusals: [
      ...refusalsOf(core, entry, generations, nowMs),
      ...(isTooOld(entry, nowMs, maxAgeMs) ? (['too-old'] as const) : []),
      ...(isPassed ? (['passed-by'] as const) : []),
      ...(fits ? [] : (['unfit'] as const)),
    ],
    servableFor: secondsOf(entry.servableUntilMs - nowMs),
    ...(!entry.isPlain && { times: timesOf(asked, entry) }),
    tags: generationsOf(generations, 'tag'),
    namespaces: generationsOf(generations, 'namespace'),
    ...(inShared && { inShared }),
  }
}

function isExpiredBy(present: GenerationValue | null, generation: string): boolean {
  return present !== null && isExpired(present, generation)
}

function refusalsOf(
  { local, tier }: CacheCore,
  entry: LocalEntry,
  generations: readonly JudgedGeneration[],
  nowMs: number,
): LocalRefusal[] {
  const refusals: LocalRefusal[] = []
  const isOld = entry.epoch !== local.epoch
  const isLacking = (kind: JudgedGeneration['kind']) =>
    generations.some((one) => one.kind === kind && one.explained.verdict === 'lacking')
  if (nowMs >= entry.freshUntilMs) refusals.push('expired')
  else if (nowMs >= entry.servableUntilMs) refusals.push('copy-expired')
  if (isOld) refusals.push('older-epoch')
  if (nowMs >= tier.trustedUntilMs) refusals.push('untrusted')
  // A generation that is no longer known may have been renewed; the state in Redis decides.
  const isConfirmed = generations.every(
    ({ explained: { verdict } }) => verdict === 'valid' || verdict === 'lacking',
  )
  const isOutdated = generations.some(({ explained: { verdict } }) => verdict === 'expired')
  if (!entry.generationSet.isValid && isOutdated) refusals.push('generation-expired')
  else if (!entry.generationSet.isUnrefuted && !isConfirmed) refusals.push('generation-invalidated')
  // A new epoch also makes all generations unconfirmed, which needs no reason of its own.
  else if (!entry.generationSet.isValid && !isOld) refusals.push('generation-unconfirmed')
  if (isLacking('tag')) refusals.push('lacks-tag')
  if (isLacking('namespace')) refusals.push('other-namespace')
  return refusals
}

function compare(
  { generationSet, isPlain, stamp }: LocalEntry,
  { failure, generations, opened, undecodable }: SharedInspection,
): ExplainedLocal['inShared'] {
  if (failure !== undefined) return undefined
  if (opened === undefined) return undecodable === undefined ? 'gone' : 'replaced'
  // Plain values have no stamp to compare.
  if (isPlain) return opened.entry === undefined ? undefined : 'replaced'
  if (opened.entry?.stamp !== stamp) return 'replaced'
  const isInvalidated = generationSet.bound.some(({ generation, storedKey }) => {
    const present = generations.get(storedKey)
    return present !== undefined && present?.generation !== generation && !isExpiredBy(present, generation)
  })
  return isInvalidated ? 'invalidated' : 'same'
}

/** The content of the shared tier under the key. */
export interface SharedFinding {
  readonly explained: ExplainedShared
  /** A value that may be served if its times allow it, without the value itself. */
  readonly entry: LocalEntry | undefined
  /** The reason why the content cannot be served, for people. */
  readonly why: string | undefined
  /** Whether it is unknown if the content can be served. */
  readonly isUnsure: boolean
}

/** What was found in the shared tier, as this process judges it. */
export function explainShared(core: CacheCore, asked: Asked, look: SharedInspection): SharedFinding {
  const { bytes, failure, opened, ttlMs, undecodable } = look
  const nothing = { tags: [], namespaces: [], isUsable: false }
  const found = (explained: ExplainedShared, why?: string): SharedFinding => ({
    ...{ explained, why },
    entry: undefined,
    isUnsure: false,
  })
  if (failure !== undefined) return found({ ...nothing, state: 'unavailable', error: told(failure) })
  const expiry = ttlMs === undefined ? {} : { expiresIn: secondsOf(ttlMs) }
  if (bytes === null) {
    return found({ ...nothing, state: ttlMs === undefined ? 'absent' : 'foreign-type', ...expiry })
  }
  if (opened === undefined && undecodable === undefined) {
    if (readHold(bytes) === undefined) return found({ ...nothing, state: 'placeholder' })
    const serverNowMs = core.tier.serverNowMs(asked.storedKey)
    const leftMs = serverNowMs === undefined ? undefined : readLease(bytes).deadlineMs - serverNowMs
    return found({
      ...{ ...nothing, state: 'changing' },
      ...(leftMs !== undefined && { expiresIn: secondsOf(Math.max(leftMs, 0)) }),
    })
  }
  const meta = opened?.entry
  const bound = meta?.generations ?? []
  const believed = (one: BoundGeneration) =>
    core.generations.peek(one.storedKey)?.admits(one.generation) === true
  const expected = opened === undefined ? [] : generationKeysFor(meta === undefined, asked.generationKeys)
  const generations = explainGenerations(bound, { expected, space: asked.space }, look, believed, core.tier)
  const entry = opened && entryOf(core, asked.storedKey, meta, look)
  const why = undecodable
    ? `the bytes in Redis cannot be read (${undecodable.code})`
    : (whyInvalid(generations) ?? (look.fits ? undefined : 'its value does not fit the schema'))
  const isUnsure = why === undefined && generations.some(isUnknown)
  const isUsable = why === undefined && !isUnsure
  const explained: ExplainedShared = {
    state: undecodable !== undefined ? 'undecodable' : meta === undefined ? 'plain' : 'entry',
    isUsable,
    ...(undecodable && { error: told(undecodable) }),
    ...(meta && entry && { times: timesOf(asked, entry) }),
    ...expiry,
    bytes: bytes.length,
    ...(opened && {
      payloadBytes: opened.payloadBytes,
      serializer: opened.serializerId,
      compression: opened.compressionId,
      ...(opened.encryptionKeyId !== undefined && { encryptionKeyId: opened.encryptionKeyId }),
    }),
    tags: generationsOf(generations, 'tag'),
    namespaces: generationsOf(generations, 'namespace'),
  }
  return { explained, why, isUnsure, entry: isUsable ? entry : undefined }
}

/** A local entry with the times of the found one. A plain value has no times, and is fresh as long as it exists. */
function entryOf(
  { clock, judge, local, tier }: CacheCore,
  storedKey: string,
  meta: EntryMeta | undefined,
  { bytes, generations }: SharedInspection,
): LocalEntry {
  if (meta === undefined) {
    const never = Number.POSITIVE_INFINITY
    const forEver = {
      bornMs: undefined,
      readAtMs: clock.monotonicMs(),
      freshUntilMs: never,
      keptUntilMs: undefined,
      leasedUntilMs: 0,
    }
    return new LocalEntry(NO_VALUE, undefined, forEver, NO_GENERATIONS, local.epoch)
  }
  const nowMs = clock.monotonicMs()
  const moment = { nowMs, serverNowMs: tier.serverNowMs(storedKey, nowMs) }
  const bound = meta.generations
  const known = bound.flatMap((one) => {
    const value = generations.get(one.storedKey)
    return value ? [new KnownGeneration(value, 0, 0)] : []
  })
  const areValid =
    known.length === bound.length &&
    known.every((one, index) => one.admits((bound[index] as BoundGeneration).generation))
  const set = new GenerationSet(bound, areValid ? known : [])
  return judge.entry(storedKey, NO_VALUE, meta, set, leaseDeadlineMs(bytes as Buffer), moment)
}

/** The generations that an entry must have. A plain value depends on none, so it can only lack the tags of the call. */
function generationKeysFor(isPlain: boolean, generationKeys: readonly string[]): readonly string[] {
  return isPlain ? generationKeys.filter(isTagKey) : generationKeys
}

function timesOf({ nowMs }: Asked, entry: LocalEntry): ExplainedTimes {
  const bornMs = entry.bornMs ?? entry.freshUntilMs - entry.ttlMs
  const ageMs = nowMs - bornMs
  const how = servableAsRead(entry, nowMs)
  return {
    freshness: how === 'fresh' ? 'fresh' : how === 'no' ? 'expired' : 'stale',
    ...(Number.isFinite(ageMs) && { age: secondsOf(ageMs) ?? 0 }),
    ttl: secondsOf(entry.ttlMs),
    freshFor: secondsOf(entry.freshUntilMs - nowMs),
    staleWhileRevalidateFor: secondsOf(entry.staleWhileRevalidateUntilMs - nowMs),
    staleIfErrorFor: secondsOf(entry.freshUntilMs + entry.staleIfErrorMs - nowMs),
    loadDuration: secondsOf(entry.loadCostMs) ?? 0,
  }
}

function told({ code, message }: CacheError): {
  readonly code: CacheError['code']
  readonly message: string
} {
  return { code, message }
}
