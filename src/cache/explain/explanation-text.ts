import { printable } from '../../foundation/errors/printable.ts'
import type {
  ExplainedGeneration,
  ExplainedInvalidation,
  ExplainedLocal,
  ExplainedShared,
  ExplainedTimes,
  Explanation,
} from './explanation.ts'

/** The facts of an explanation. */
type Facts = Omit<Explanation, 'toString'>

/** An explanation made of facts, with its text. */
export function explanationOf(facts: Facts): Explanation {
  // Not enumerable, so that the facts stay plain data when they are compared or copied.
  return Object.defineProperty({ ...facts }, 'toString', { value: () => explanationText(facts) })
}

/** Seconds as text for people; `null` means no end. */
export function spanText(seconds: number | null): string {
  if (seconds === null) return 'unlimited time'
  const s = Math.abs(seconds)
  if (s < 1) return `${Math.round(s * 1_000)} ms`
  if (s < 10) return `${Number(s.toFixed(1))} s`
  if (s < 120) return `${Math.round(s)} s`
  const [size, unit] = s < 3_600 ? [60, 'min'] : s < 172_800 ? [3_600, 'h'] : [86_400, 'd']
  return `${Number((s / size).toFixed(1))} ${unit}`
}

function explanationText(facts: Facts): string {
  const { cache, invalidation, key, lease, load, local, notes, shared, storedKey } = facts
  const times = shared.times ?? local.times
  const generations = shared.state === 'entry' || shared.state === 'undecodable' ? shared : local
  const lines: (readonly [label: string, text: string] | undefined)[] = [
    ['key', key === storedKey ? key : `${key}, in Redis ${storedKey}`],
    ['next', nextText(facts)],
    ['here', localText(local)],
    ['redis', sharedText(facts)],
    invalidation && ['gone', `deleted or expired${invalidationText(invalidation)}`],
    times && ['times', timesText(times)],
    // An invalid entry is never served as stale.
    ...(times && (shared.isUsable || shared.state === 'unavailable') ? windowsText(times) : []).map(
      (window) => ['', window] as const,
    ),
    generations.tags.length > 0 || times ? ['tags', generationsText(generations.tags)] : undefined,
    generations.namespaces.length > 0 ? ['within', generationsText(generations.namespaces)] : undefined,
    ['lease', leaseText(lease)],
    ['loading', loadText(load)],
    ['cache', cacheText(cache)],
    ...notes.map((note) => ['note', note] as const),
  ]
  return lines
    .filter((line) => line !== undefined)
    .map(([label, text]) => label.padEnd(9) + printable(text))
    .join('\n')
}

function nextText({ next }: Facts): string {
  const { earlyRefreshChance, reason, step } = next
  const chance =
    earlyRefreshChance === undefined
      ? ''
      : `; refreshed early with a chance of ${percentText(earlyRefreshChance)}`
  return `${step}: ${reason}${chance}`
}

function percentText(part: number): string {
  const percent = 100 * part
  return percent > 0 && percent < 0.01 ? 'less than 0.01 %' : `${Number(percent.toPrecision(2))} %`
}

const REFUSALS = {
  expired: 'it is past its time to live',
  'copy-expired': 'the short time that a copy may live has passed',
  'older-epoch': 'a connection or channel was lost since it was read, so changes may have been missed',
  untrusted: 'Redis has been silent for so long that pushes may have been lost',
  'generation-invalidated': 'a tag or namespace was invalidated',
  'generation-expired': 'a tag was expired',
  'generation-unconfirmed': 'it is no longer known whether a tag or namespace is unchanged',
  'lacks-tag': 'it lacks a tag that this call asks for',
  'other-namespace': 'it was stored through another namespace',
  'too-old': 'it is older than the maxAge of this call',
  'passed-by': 'this call passes by it, or by copies that were read so long ago',
  unfit: 'it does not fit the schema of the collection',
} as const

const COMPARISONS = {
  same: 'the same as in Redis',
  replaced: 'Redis has another one',
  gone: 'Redis has none',
  invalidated: 'invalidated in Redis',
} as const

function localText({ inShared, refusals, servableFor, serves, state }: ExplainedLocal): string {
  if (state === 'off') return 'nothing is kept in this process'
  if (state === 'absent') return 'not kept'
  const use =
    serves === 'fresh'
      ? `served${servableFor === null ? '' : ` for another ${spanText(servableFor ?? 0)}`}`
      : serves === 'stale'
        ? 'served as stale'
        : 'not served'
  const why = refusals.length > 0 ? `: ${refusals.map((refusal) => REFUSALS[refusal]).join('; ')}` : ''
  return `kept, ${use}${why}${inShared === undefined ? '' : ` (${COMPARISONS[inShared]})`}`
}

function sharedText({ lease, shared }: Pick<Facts, 'lease' | 'shared'>): string {
  const { error, expiresIn, isUsable, namespaces, state, tags, times } = shared
  const isRefuted = [...tags, ...namespaces].some(
    ({ verdict }) => verdict !== 'valid' && verdict !== 'expired' && verdict !== 'unknown',
  )
  const validity = !isUsable ? 'not valid' : isRefuted ? 'invalidated' : times?.freshness
  switch (state) {
    case 'absent':
      return 'nothing'
    case 'unused':
      return 'no value: those of this namespace stay in processes'
    case 'placeholder':
      if (lease.pausedFor !== undefined) return 'nothing: the last load has failed'
      return lease.holder === 'nobody'
        ? 'nothing yet: somebody has reserved the key, or its last load brought no value'
        : 'nothing yet: its first value is being loaded'
    case 'changing':
      return `nothing: a change holds the key${expiresIn === undefined ? '' : `, for ${spanText(expiresIn)} at most`}`
    case 'foreign-type':
      return `a list, a set or another type that is not a string${expiryText(expiresIn)}`
    case 'unavailable':
      return `cannot be asked: ${error?.code} (${error?.message})`
    case 'undecodable':
      return `cannot be read: ${error?.code} (${error?.message}); ${sizeText(shared)}`
    case 'plain':
      return `a plain value${isUsable ? '' : ', not served'}; ${sizeText(shared)}`
    case 'entry':
      return `an entry, ${validity}; ${sizeText(shared)}`
  }
}

function sizeText(shared: ExplainedShared): string {
  const { bytes, compression, encryptionKeyId, expiresIn, payloadBytes, serializer } = shared
  const parts = [`${bytes} bytes`]
  if (serializer !== undefined) parts.push(`${payloadBytes} of them ${serializer}`)
  if (compression !== undefined && compression !== 'none') parts.push(compression)
  if (encryptionKeyId !== undefined) parts.push(`encrypted with '${encryptionKeyId}'`)
  return parts.join(', ') + expiryText(expiresIn)
}

function expiryText(expiresIn: number | null | undefined): string {
  if (expiresIn === undefined) return ''
  return expiresIn === null ? '; never removed' : `; removed in ${spanText(expiresIn)}`
}

function timesText({ age, freshFor, freshness, loadDuration, ttl }: ExplainedTimes): string {
  const isFresh = freshness === 'fresh'
  const parts = [
    `ttl ${ttl === null ? 'unlimited' : spanText(ttl)}`,
    isFresh
      ? freshFor === null
        ? 'never ends'
        : `ends in ${spanText(freshFor)}`
      : `ended ${spanText(freshFor)} ago`,
    `took ${spanText(loadDuration)} to load`,
  ]
  if (age !== undefined) parts.unshift(`${spanText(age)} old`)
  return parts.join(', ')
}

/** As in "12 s ago by api-3 (order.paid)", with a space before it; empty if nothing is known. */
export function invalidationText(invalidation: ExplainedInvalidation | undefined): string {
  if (invalidation === undefined) return ''
  const { ago, by, process } = invalidation
  return ` ${spanText(ago)} ago${by === undefined ? '' : ` by ${process} (${by})`}`
}

/** The stale windows of an entry that has any. */
function windowsText({ freshFor, staleIfErrorFor, staleWhileRevalidateFor }: ExplainedTimes): string[] {
  const windows = [
    ['while a new one is loaded', staleWhileRevalidateFor],
    ['if its loader fails', staleIfErrorFor],
  ] as const
  return windows
    .filter(([, seconds]) => seconds !== freshFor)
    .map(([when, seconds]) => {
      const isOver = seconds !== null && seconds <= 0
      return `served stale ${when}: ${isOver ? `ended ${spanText(seconds)} ago` : `for another ${spanText(seconds)}`}`
    })
}

function generationsText(generations: readonly ExplainedGeneration[]): string {
  if (generations.length === 0) return 'none'
  return generations
    .map((generation) => {
      const { isBelieved, verdict } = generation
      const differs = isBelieved && !['valid', 'expired', 'unknown'].includes(verdict)
      const when = invalidationText(generation.invalidation)
      return `${nameText(generation)} ${VERDICTS[verdict]}${when}${differs ? ', which this process does not know yet' : ''}`
    })
    .join(', ')
}

/** The name in quotes. */
export function nameText({ name, of }: ExplainedGeneration): string {
  return of === undefined ? `'${name}'` : `'${name}' of '${of}'`
}

const VERDICTS = {
  valid: 'valid',
  expired: 'EXPIRED',
  invalidated: 'INVALIDATED',
  missing: 'MISSING in Redis, which counts as invalidated',
  changing: 'CHANGING: a change holds it',
  lacking: 'LACKING, but this call asks for it',
  unknown: 'could not be read',
} as const

const HOLDERS = {
  nobody: 'nobody holds it',
  'this-process': 'held by this process',
  'another-process': 'held by another process',
  unknown: 'not known',
} as const

function leaseText({ holder, pausedFor, remaining }: Facts['lease']): string {
  if (pausedFor !== undefined) return `the last load has failed; no other for ${spanText(pausedFor)}`
  return (
    HOLDERS[holder] + (remaining === undefined ? '' : `, ${spanText(remaining)} left unless it is renewed`)
  )
}

const LOADS = {
  none: 'not in this process',
  reading: 'this process is looking for a value',
  queued: 'a load of this process waits for its turn',
  waiting: 'this process waits for the load of another',
  loading: 'this process is loading it',
} as const

function loadText({ callers, state }: Facts['load']): string {
  return (
    LOADS[state] + (state === 'none' ? '' : `, ${callers} ${callers === 1 ? 'caller waits' : 'callers wait'}`)
  )
}

function cacheText({ circuit, coherence, epoch, undelivered }: Facts['cache']): string {
  const waiting =
    undelivered === 0
      ? 'nothing undelivered'
      : `${undelivered} ${undelivered === 1 ? 'invalidation' : 'invalidations'} UNDELIVERED`
  return `coherence ${coherence}; circuit ${circuit}; ${waiting}; epoch ${epoch}`
}
