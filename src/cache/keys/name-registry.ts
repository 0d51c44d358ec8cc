/** A cache offers its {@link NameRegistry} under this name. */
export const NAMES: unique symbol = Symbol('names')

/**
 * The names that functions and collections have taken in one cache, namespaces included.
 *
 * Two functions of the same name and key space would return each other's results, since their keys begin with the name.
 * A namespace with other options is another object over the same keys, so a name belongs to the key space and not to that
 * object: all views that {@link under} returns share one table, which contains each name with its prefix. A name is never
 * released, so the table grows with the code of the program and not with its data.
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

  /** The number of names that are taken, in all key spaces. */
  get size(): number {
    return this.#owners.size
  }

  /** Takes a name for an owner, which may claim it again; returns `false` if another owner has it. */
  claim(name: string, owner: object): boolean {
    const storedName = this.#prefix + name
    const holder = this.#owners.get(storedName)
    if (holder !== undefined) return holder === owner
    this.#owners.set(storedName, owner)
    return true
  }
}
