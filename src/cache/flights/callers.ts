import type { CacheCore } from '../core/cache-core.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import { Caller } from './caller.ts'

type Parts = Pick<CacheCore, 'clock' | 'options' | 'stopping' | 'timers'>

/** The caller of a request. */
export function callerOf(
  { clock, options, stopping, timers }: Parts,
  { calledAtMs, key, policies, signal }: LoadRequest,
): Caller {
  const longestStayMs = options.longestLoadMs
  return new Caller({ key, policies, signal, calledAtMs, stopping, clock, timers, longestStayMs })
}

/** Stands for a load in the background, which ends with the cache. */
export function backgroundCallerOf(
  { clock, options, stopping, timers }: Parts,
  { key, policies }: LoadRequest,
): Caller {
  const longestStayMs = options.longestLoadMs
  return new Caller({
    ...{ key, isBackground: true, signal: stopping, stopping, clock, timers, longestStayMs },
    policies: {
      softTimeoutMs: Number.POSITIVE_INFINITY,
      hardTimeoutMs: Math.min(policies.hardTimeoutMs, longestStayMs),
    },
  })
}
