import type { MissReason } from '../../contract/cache-events.ts'
import { isTagKey } from '../../foundation/reserved-keys.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { Accepts } from './acceptance.ts'

/** What Redis holds under a key, and whether it may be served. */
export type Judgement =
  /** Nothing, or the placeholder of a value that is being loaded. `stamp` is empty. */
  | { readonly state: 'absent'; readonly stamp: '' }
  /** Something that must not be served: one of its generations was replaced, or it cannot be decoded. */
  | { readonly state: 'unusable'; readonly stamp: string; readonly isUndecodable?: true }
  /** A valid value, which may be stale by its times. */
  | { readonly state: 'usable'; readonly stamp: string; readonly entry: LocalEntry }

export const ABSENT: Judgement = Object.freeze({ state: 'absent', stamp: '' })

/** What a caller requires of an entry, besides that it is valid. */
export interface Wants {
  /** Stored keys of the generations that the entry has to be bound to. */
  readonly generationKeys: readonly string[]
  /** Decides whether its value may be served. @default accepts every value */
  readonly accepts?: Accepts | undefined
}

/** The reason of the miss that a judgement is, if it is no fresh value. */
export function missReasonOf(judgement: Judgement): MissReason {
  return judgement.state === 'unusable' && judgement.isUndecodable ? 'undecodable' : 'absent'
}

/** Whether an entry is bound to all that a caller requires. A plain value fits any namespace, and has no tag. */
export function isBoundToAll(
  { generationSet, isPlain }: LocalEntry,
  generationKeys: readonly string[],
): boolean {
  return isPlain ? !generationKeys.some(isTagKey) : generationSet.includes(generationKeys)
}

/** The judgement for one caller: an entry is unusable if it lacks one of its tags, or if its schema refuses it. */
export async function judgementFor(
  judgement: Judgement,
  { accepts, generationKeys }: Wants,
): Promise<Judgement> {
  if (judgement.state !== 'usable') return judgement
  const { entry, stamp } = judgement
  if (!isBoundToAll(entry, generationKeys)) return { state: 'unusable', stamp }
  return accepts === undefined || (await accepts(entry.value)) ? judgement : { state: 'unusable', stamp }
}
