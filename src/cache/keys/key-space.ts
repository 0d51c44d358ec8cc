import { CacheError } from '../../foundation/errors/cache-error.ts'
import { namespaceKey, tagKey } from '../../foundation/reserved-keys.ts'

/** The most namespaces around an entry, that of the cache included: the entry is bound to the generation of each. */
const MOST_NAMESPACES = 16

/**
 * What tells the keys of a collection from those of namespaces: a part before a colon that ends like this. No name of a
 * namespace contains it, so no namespace and no collection share keys.
 */
const COLLECTION_MARK = /@\d+(?::|$)/

/** The names of one namespace: the stored keys of its entries, its tags and its own generation. */
export class KeySpace {
  /** The beginning of the stored keys of its entries. */
  readonly prefix: string
  /** What is put before the key of an entry in the local tier: {@link storedKey} without the prefix of the root. */
  readonly namePrefix: string
  readonly #root: KeySpace
  /** The name of this namespace in events: `users`, or `shop:users` in another one; empty for the root. */
  readonly name: string
  /** What is put before a tag. Only in a collection it is not {@link prefix}. */
  readonly #tagPrefix: string
  /** The prefixes of this namespace and of those above it. */
  readonly #prefixes: readonly string[]
  /** Whether its values do not lie in Redis (`store: 'local'`): see `HeldSpace`. */
  readonly isHeld: boolean = false
  /** What {@link generationKeys} has returned, by copy. */
  readonly #generationKeys = new Map<string, readonly string[]>()

  /** @throws CacheError `CACHE_INVALID_ARGUMENT` if it would lie in too many others */
  constructor(prefix: string, parent?: KeySpace, tagPrefix: string = prefix) {
    this.prefix = prefix
    this.#tagPrefix = tagPrefix
    this.#root = parent === undefined ? this : parent.#root
    this.namePrefix = prefix.slice(this.#root.prefix.length)
    this.name = this.namePrefix.slice(0, -1)
    this.#prefixes = [...(parent === undefined ? [] : parent.#prefixes), prefix]
    if (this.#prefixes.length > MOST_NAMESPACES) {
      const most = MOST_NAMESPACES - 1
      throw new CacheError(
        'CACHE_INVALID_ARGUMENT',
        `Namespaces, and a collection in them, may be nested at most ${most} deep`,
      )
    }
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

  /** What the entry of a key is called in the local tier: its stored key without the prefix of the root. */
  localName(key: string): string {
    return this.namePrefix + key
  }

  /** Stored keys of the generations that an entry with these tags is bound to. */
  generationKeysWith(tags: readonly string[], copy: string): readonly string[] {
    const own = this.generationKeys(copy)
    return tags.length === 0 ? own : [...own, ...tags.map((tag) => this.tagKey(tag))]
  }

  tagKey(tag: string): string {
    return tagKey(this.#tagPrefix, tag)
  }

  /**
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if it would lie in too many others; `CACHE_INVALID_KEY` for a name whose
   * keys would be those of a collection
   */
  within(name: string): KeySpace {
    return new KeySpace(this.prefixWithin(name), this)
  }

  /** The prefix of a namespace within this one. @throws CacheError `CACHE_INVALID_KEY` */
  prefixWithin(name: string): string {
    if (COLLECTION_MARK.test(name)) {
      throw new CacheError(
        'CACHE_INVALID_KEY',
        'Invalid namespace: "@" and digits at its end, or before a colon, are the mark of a collection',
      )
    }
    return `${this.prefix}${name}:`
  }

  /**
   * The namespace of one version of a collection. Its prefix in this namespace is {@link collectionPrefix}, and its tags
   * are those of this namespace.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if it would lie in too many namespaces
   */
  ofCollection(name: string, version: number): KeySpace {
    return new KeySpace(this.prefix + collectionPrefix(name, version), this, this.prefix)
  }
}

/** The beginning of the keys of a collection. @param name without a colon */
export function collectionPrefix(name: string, version: number): string {
  return `${name}@${version}:`
}
