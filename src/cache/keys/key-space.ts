import { CacheError } from '../../foundation/errors/cache-error.ts'
import { namespaceKey, tagKey } from '../../foundation/reserved-keys.ts'

/** The most namespaces around an entry, that of the cache included: the entry is bound to the generation of each. */
const MOST_NAMESPACES = 16

/** The names of one namespace: the stored keys of its entries, its tags and its own generation. */
export class KeySpace {
  readonly prefix: string
  /** {@link prefix} without that of the root. */
  readonly namePrefix: string
  readonly #root: KeySpace
  /** The prefixes of this namespace and of those above it. */
  readonly #prefixes: readonly string[]
  /** What {@link generationKeys} has returned, by copy. */
  readonly #generationKeys = new Map<string, readonly string[]>()

  constructor(prefix: string, parent?: KeySpace) {
    this.prefix = prefix
    this.#root = parent === undefined ? this : parent.#root
    this.namePrefix = prefix.slice(this.#root.prefix.length)
    this.#prefixes = [...(parent === undefined ? [] : parent.#prefixes), prefix]
  }

  /**
   * Stored keys of the generations that every entry here is bound to: of this namespace and of those above it.
   * @param copy the suffix of the copies that it is bound to
   */
  generationKeys(copy: string): readonly string[] {
    const known = this.#generationKeys.get(copy)
    if (known !== undefined) return known
    const generationKeys = this.#prefixes.map((prefix) => namespaceKey(prefix, copy))
    this.#generationKeys.set(copy, generationKeys)
    return generationKeys
  }

  /** The key of the generation that `clear()` of this namespace replaces, in all of its copies. */
  get ownGenerationKey(): string {
    return namespaceKey(this.prefix)
  }

  /** The keys of these copies. */
  ownGenerationKeys(copies: readonly string[]): readonly string[] {
    return copies.map((copy) => namespaceKey(this.prefix, copy))
  }

  storedKey(key: string): string {
    return this.prefix + key
  }

  /** Stored keys of the generations that an entry with these tags is bound to. */
  generationKeysWith(tags: readonly string[], copy: string): readonly string[] {
    const own = this.generationKeys(copy)
    return tags.length === 0 ? own : [...own, ...tags.map((tag) => this.tagKey(tag))]
  }

  tagKey(tag: string): string {
    return tagKey(this.prefix, tag)
  }

  /** @throws CacheError `CACHE_INVALID_ARGUMENT` if it would lie in too many others */
  within(name: string): KeySpace {
    if (this.#prefixes.length === MOST_NAMESPACES) {
      const most = MOST_NAMESPACES - 1
      throw new CacheError('CACHE_INVALID_ARGUMENT', `Namespaces may be nested at most ${most} deep`)
    }
    return new KeySpace(`${this.prefix}${name}:`, this)
  }
}
