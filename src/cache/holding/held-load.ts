import type { CacheCore } from '../core/cache-core.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { NO_LEASE } from '../loading/lease.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LeasedLoad } from '../loading/load-runner.ts'

/**
 * What a load requires whose value stays in this process: its generations are captured before the loader begins (G2), that
 * of its key among them. One round trip if this process does not know all of them.
 * @returns `undefined` if Redis does not answer, or the cache is being closed
 */
export async function heldLoad(
  { clock, generations, stopping, tier }: CacheCore,
  { key, monitor, policies, storedKey }: LoadRequest,
  generationKeys: readonly string[],
): Promise<LeasedLoad | undefined> {
  if (stopping.aborted) return undefined
  const askedAtMs = clock.monotonicMs()
  try {
    const [bound, serverNowMs] = await Promise.all([
      generations.capture(generationKeys, storedTtlMs(policies)),
      tier.serverNowMs(storedKey) ?? tier.serverTimeMs(storedKey),
    ])
    return { lease: NO_LEASE, bound, serverNowMs, askedAtMs }
  } catch (error) {
    monitor.tell('getOrSet', key, error)
    return undefined
  }
}
