import type { GetOrSetOptions } from '../../src/cache/freshness/policies.ts'
import type { MemoizingCache } from '../../src/cache/memoize/memoize.ts'

/** A cache in a Map, in which concurrent calls share one load. */
export class MapCache implements MemoizingCache {
  readonly entries = new Map<string, Promise<unknown>>()
  readonly seenOptions: (GetOrSetOptions | undefined)[] = []

  getOrSet<T>(key: string, loader: () => Promise<T> | T, options?: GetOrSetOptions): Promise<T> {
    this.seenOptions.push(options)
    const loading =
      (this.entries.get(key) as Promise<T> | undefined) ?? new Promise<T>((resolve) => resolve(loader()))
    this.entries.set(key, loading)
    return loading
  }
}
