import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import { type GenerationValue, isExpired } from '../../codec/envelope/generation-value.ts'
import { HELD_GENERATION } from '../../codec/envelope/hold-mark.ts'
import { abbreviate } from '../../foundation/errors/cache-error.ts'
import { generationName, isSameGeneration, namespaceOf } from '../../foundation/reserved-keys.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { ExplainedGeneration, ExplainedInvalidation } from './explanation.ts'
import { invalidationText, nameText } from './explanation-text.ts'
import type { SharedInspection } from './inspect-shared.ts'

/** A judged generation, and whether it belongs to a tag, a namespace or a key. */
export interface JudgedGeneration {
  readonly kind: 'tag' | 'namespace' | 'key'
  readonly explained: ExplainedGeneration
}

/** The generations that an entry is bound to, and the expected ones that it lacks. */
export function explainGenerations(
  bound: readonly BoundGeneration[],
  { expected, space }: { readonly expected: readonly string[]; readonly space: KeySpace },
  { generations }: SharedInspection,
  isBelieved: (one: BoundGeneration) => boolean,
  tier: Pick<SharedTier, 'serverNowMs'>,
): JudgedGeneration[] {
  const judged = (storedKey: string, verdict: ExplainedGeneration['verdict'], isBelievedHere: boolean) => {
    const isRenewed = verdict === 'expired' || verdict === 'invalidated'
    const invalidation = isRenewed
      ? explainedInvalidation(generations.get(storedKey) ?? undefined, tier.serverNowMs(storedKey))
      : undefined
    const { kind, name } = generationName(storedKey)
    const isOfOther = kind === 'tag' && !storedKey.startsWith(space.tagKey(''))
    const of = isOfOther ? { of: abbreviate(namespaceOf(storedKey)) } : {}
    const told = { name: abbreviate(name), ...of, verdict, isBelieved: isBelievedHere }
    return { kind, explained: invalidation === undefined ? told : { ...told, invalidation } }
  }
  const lacking = expected.filter((key) => !bound.some(({ storedKey }) => isSameGeneration(storedKey, key)))
  return [
    ...bound.map((one) =>
      judged(one.storedKey, verdictOf(one, generations.get(one.storedKey)), isBelieved(one)),
    ),
    ...lacking.map((storedKey) => judged(storedKey, 'lacking', false)),
  ]
}

/** When a generation was renewed, or a key invalidated, and what for; `undefined` if that is not known. */
export function explainedInvalidation(
  value: GenerationValue | undefined,
  serverNowMs: number | undefined,
): ExplainedInvalidation | undefined {
  if (value === undefined || serverNowMs === undefined) return undefined
  const ago = Math.max(0, Math.round(serverNowMs - value.timeUs / 1_000)) / 1_000
  return { ago, ...value.cause }
}

function verdictOf(
  { generation }: BoundGeneration,
  present: GenerationValue | null | undefined,
): ExplainedGeneration['verdict'] {
  if (present === undefined) return 'unknown'
  if (present === null) return 'missing'
  if (present.generation === HELD_GENERATION) return 'changing'
  if (present.generation === generation) return 'valid'
  return isExpired(present, generation) ? 'expired' : 'invalidated'
}

/** The generations of one kind. */
export function generationsOf(
  generations: readonly JudgedGeneration[],
  kind: JudgedGeneration['kind'],
): ExplainedGeneration[] {
  return generations.filter((one) => one.kind === kind).map(({ explained }) => explained)
}

/** The reason why an entry is invalid, for people; `undefined` if it is valid. */
export function whyInvalid(generations: readonly JudgedGeneration[]): string | undefined {
  const reasons = generations.filter(isRefuted).map(reasonOf)
  if (reasons.length <= MOST_REASONS) return reasons.length === 0 ? undefined : reasons.join('; ')
  return `${reasons.slice(0, MOST_REASONS).join('; ')}; and ${reasons.length - MOST_REASONS} more`
}

const MOST_REASONS = 3

/** As in `EntryReader`, a generation that this process knows takes precedence over the one in Redis. */
function isRefuted({ explained: { isBelieved, verdict } }: JudgedGeneration): boolean {
  return verdict === 'lacking' || (!isBelieved && REFUTED.includes(verdict))
}

const REFUTED: readonly ExplainedGeneration['verdict'][] = ['invalidated', 'missing', 'changing']

function reasonOf({ explained, kind }: JudgedGeneration): string {
  const name = `the ${kind} ${nameText(explained)}`
  const isTag = kind === 'tag'
  switch (explained.verdict) {
    case 'lacking':
      return isTag
        ? `it lacks ${name}, which this call asks for`
        : `it was stored without ${name}, through another namespace`
    case 'changing':
      return `a change holds ${name}, which invalidates what was stored before`
    case 'missing':
      return `${name} has no generation in Redis any more (evicted, expired or deleted), so it counts as invalidated`
    default: {
      const when = invalidationText(explained.invalidation)
      return `${name} was ${isTag ? 'invalidated' : 'cleared'}${when}${when && ','} after it was stored`
    }
  }
}

/** Whether neither Redis nor this process can tell if this generation is current. */
export function isUnknown({ explained: { isBelieved, verdict } }: JudgedGeneration): boolean {
  return verdict === 'unknown' && !isBelieved
}
