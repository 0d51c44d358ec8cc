import { namespaceKey, tagKey } from '../../foundation/reserved-keys.ts'

/** The names of one namespace: what stands in Redis for its keys, its tags and itself. */
export class KeySpace {
  readonly prefix: string
  /** {@link prefix} without that of the root. */
  readonly namePrefix: string
  readonly #root: KeySpace
  /** The stored keys of the generations that every entry of this namespace depends on: its own, and of those above. */
  readonly generationKeys: readonly string[]

  constructor(prefix: string, parent?: KeySpace) {
    this.prefix = prefix
    this.#root = parent === undefined ? this : parent.#root
    this.namePrefix = prefix.slice(this.#root.prefix.length)
    this.generationKeys = [...(parent?.generationKeys ?? []), namespaceKey(prefix)]
  }

  /** The generation that `clear()` of this namespace renews. */
  get ownGenerationKey(): string {
    return this.generationKeys.at(-1) as string
  }

  storedKey(key: string): string {
    return this.prefix + key
  }

  /** Stored keys of the generations that an entry with these tags depends on. */
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
