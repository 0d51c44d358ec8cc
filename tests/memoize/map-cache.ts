import type { GetOrSetOptions } from '../../src/cache/freshness/policy-options.ts'
import { NameRegistry } from '../../src/cache/keys/name-registry.ts'
import type { LoadContext, Loader } from '../../src/cache/loading/load-context.ts'
import type { WrappingCache } from '../../src/cache/memoize/memoize.ts'

/** A cache in a Map, in which concurrent calls share one load. */
export class MapCache implements WrappingCache {
  readonly names = new NameRegistry()
  readonly seenOptions: (GetOrSetOptions | undefined)[] = []
  readonly #entries = new Map<string, Promise<unknown>>()

  get keys(): string[] {
    return [...this.#entries.keys()]
  }

  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
    const known = this.#entries.get(key) as Promise<T> | undefined
    if (known === undefined) return this.refresh(key, loader, options)
    this.seenOptions.push(options)
    return known
  }

  refresh<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
    this.seenOptions.push(options)
    const loading = new Promise<T>((resolve) => resolve(loader({ key } as LoadContext)))
    this.#entries.set(key, loading)
    loading.catch(() => this.#entries.delete(key))
    return loading
  }

  async delete(key: string): Promise<boolean> {
    return this.#entries.delete(key)
  }
}
