import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { refusedOption } from '../../foundation/option-checks.ts'
import type { LocalReadOptions } from '../freshness/policy-options.ts'

/**
 * What `local` of a call comes to: `false` if this process may not have heard of all that its `atLeast` stands for.
 * @throws CacheError `CACHE_INVALID_OPTIONS` if that is no text
 */
export function localOf(
  { atLeast, local }: LocalReadOptions,
  tier: Pick<SharedTier, 'hasNewsOf'>,
): LocalReadOptions['local'] {
  if (atLeast === undefined) return local
  if (typeof atLeast !== 'string') throw refusedOption('atLeast', 'a token of mark()', atLeast)
  return tier.hasNewsOf(atLeast) ? local : false
}
