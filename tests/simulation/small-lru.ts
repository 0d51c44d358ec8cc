import type { LRUCache } from 'lru-cache'

type Module = { readonly LRUCache: typeof LRUCache }

/** The same, but small: a cache of 50,000 takes longer to be made than a schedule to run. */
export function smallLru(original: Module): Module {
  class SmallLru extends original.LRUCache<string, object> {
    constructor(options: LRUCache.Options<string, object, unknown>) {
      super({ ...options, max: Math.min(options.max ?? 64, 64) } as LRUCache.Options<string, object, unknown>)
    }
  }
  return { LRUCache: SmallLru as unknown as typeof LRUCache }
}
