/** A cache offers its {@link NameRegistry} under this name. */
export const NAMES: unique symbol = Symbol('names')

/**
 * The names that functions and collections have taken in one cache, namespaces included.
 *
 * Two functions of the same name and key space would answer with each other's results, since the name begins their
 * keys. `cache.namespace('a')` makes a new object each time it is called, so the names belong to the key space and not
 * to that object: every view that {@link under} returns shares one table, in which a name stands with its prefix. A
 * name is never given back, so the table grows with the code of the program and not with its data.
 */
export class NameRegistry {
  readonly #prefix: string
  readonly #owners: Map<string, object>

  constructor(prefix = '', owners: Map<string, object> = new Map()) {
    this.#prefix = prefix
    this.#owners = owners
  }

  /** The same table, for the names in the key space with this prefix. */
  under(prefix: string): NameRegistry {
    return new NameRegistry(prefix, this.#owners)
  }

  /** Names that are taken, in all key spaces. */
  get size(): number {
    return this.#owners.size
  }

  /** Takes a name for an owner, who may claim it again; `false` if another owner has it. */
  claim(name: string, owner: object): boolean {
    const storedName = this.#prefix + name
    const holder = this.#owners.get(storedName)
    if (holder !== undefined) return holder === owner
    this.#owners.set(storedName, owner)
    return true
  }
}
