import type { CacheBackend } from 'cachewright'
import type { CachedPlaces } from './cached-places.ts'
import type { PlaceSource } from './place-source.ts'
import type { Answer } from './questions.ts'
import type { RedisWindow } from './redis-window.ts'
import type { Terminal } from './terminal.ts'
import type { Random } from './zipf.ts'

/** What every chapter of the demo has at hand. */
export interface Stage {
  readonly backend: CacheBackend<Answer>
  readonly places: CachedPlaces
  readonly source: PlaceSource
  readonly terminal: Terminal
  readonly random: Random
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** `undefined` where the cache is in memory. */
  readonly window: RedisWindow | undefined
}

/** How long `work` takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
