import { namespaceKey, tagKey } from '../../foundation/reserved-keys.ts'

/** The names of one namespace: the stored keys of its entries, its tags and its own generation. */
export class KeySpace {
  readonly prefix: string
  /** {@link prefix} without that of the root. */
  readonly namePrefix: string
  readonly #root: KeySpace
  /** Stored keys of the generations that every entry here is bound to: of this namespace and of those above it. */
  readonly generationKeys: readonly string[]

  constructor(prefix: string, parent?: KeySpace) {
    this.prefix = prefix
    this.#root = parent === undefined ? this : parent.#root
    this.namePrefix = prefix.slice(this.#root.prefix.length)
    this.generationKeys = [...(parent?.generationKeys ?? []), namespaceKey(prefix)]
  }

  /** The generation that `clear()` of this namespace replaces. */
  get ownGenerationKey(): string {
    return this.generationKeys.at(-1) as string
  }

  storedKey(key: string): string {
    return this.prefix + key
  }

  /** Stored keys of the generations that an entry with these tags is bound to. */
  generationKeysWith(tags: readonly string[]): readonly string[] {
    return tags.length === 0
      ? this.generationKeys
      : [...this.generationKeys, ...tags.map((tag) => this.tagKey(tag))]
  }

  tagKey(tag: string): string {
    return tagKey(this.prefix, tag)
  }

  within(name: string): KeySpace {
    return new KeySpace(`${this.prefix}${name}:`, this)
  }
}
