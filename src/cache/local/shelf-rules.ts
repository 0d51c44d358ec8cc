import { DEFAULT_BOUNDS, type LocalBounds, type LocalShelf } from './local-shelf.ts'
import { PrefixRules } from './prefix-rules.ts'

/** What a namespace says of its local entries: `false` keeps none. What it leaves out is as in the namespace around it. */
export type LocalRule =
  | false
  | {
      /** Set if its entries have room of their own. */
      readonly bounds?: LocalBounds | undefined
      /** How long a copy is served; `Infinity` as long as the entry is. */
      readonly ttlMs?: number | undefined
    }

/** Where the entries of a namespace are kept, and how long a copy is served. */
export interface Shelving {
  readonly shelf: LocalShelf
  /** `Infinity` if there is no other bound than the entry's own. */
  readonly ttlMs: number
}

/** The rule of one name. */
interface NamedRule {
  readonly rule: LocalRule
  readonly newShelf: (bounds: LocalBounds) => LocalShelf
  /** Its own, if it needs one. */
  shelf: LocalShelf | undefined
}

/**
 * Where the local entries of each namespace are kept. A rule belongs to a name, for good. What it leaves out follows that
 * of the namespace around it, also if that one is given later.
 */
export class ShelfRules {
  readonly #common: LocalShelf
  readonly #nothing: LocalShelf
  /** By the prefix of the names. */
  readonly #named = new Map<string, NamedRule>()
  #shelvings: PrefixRules<Shelving>

  /**
   * @param common the shelf of the cache
   * @param nothing a shelf that keeps nothing
   */
  constructor(common: LocalShelf, nothing: LocalShelf) {
    this.#common = common
    this.#nothing = nothing
    this.#shelvings = new PrefixRules({ shelf: common, ttlMs: Number.POSITIVE_INFINITY })
  }

  /** Whether all names are treated alike. */
  get isUniform(): boolean {
    return this.#shelvings.isUniform
  }

  /** Of a name, or of all names under a prefix. */
  of(name: string): Shelving {
    return this.#shelvings.of(name)
  }

  /** The shelf that this very namespace has for its own entries and those of the namespaces within it. */
  ownShelf(prefix: string): LocalShelf | undefined {
    return this.#named.get(prefix)?.shelf
  }

  /** The shelf of the cache, and those of namespaces. */
  get shelves(): readonly LocalShelf[] {
    const own = Array.from(this.#named.values(), ({ shelf }) => shelf)
    return [this.#common, ...own.filter((shelf) => shelf !== undefined)]
  }

  /** The rule of this very namespace. */
  rule(prefix: string): LocalRule | undefined {
    return this.#named.get(prefix)?.rule
  }

  /** @param newShelf makes a shelf of the namespace's own */
  add(prefix: string, rule: LocalRule, newShelf: NamedRule['newShelf']): void {
    this.#named.set(prefix, { rule, newShelf, shelf: undefined })
    const shelvings = new PrefixRules<Shelving>({ shelf: this.#common, ttlMs: Number.POSITIVE_INFINITY })
    // What lies around a namespace comes first.
    for (const [name, named] of [...this.#named].sort(([one], [other]) => one.length - other.length)) {
      shelvings.set(name, this.#shelving(named, shelvings.of(name.slice(0, -1))))
    }
    this.#shelvings = shelvings
  }

  /** A namespace that names no bounds needs room of its own only where nothing is kept around it. */
  #shelving(named: NamedRule, around: Shelving): Shelving {
    const { newShelf, rule } = named
    if (rule === false) return { shelf: this.#nothing, ttlMs: around.ttlMs }
    if (rule.bounds !== undefined || !around.shelf.isOn)
      named.shelf ??= newShelf(rule.bounds ?? DEFAULT_BOUNDS)
    return { shelf: named.shelf ?? around.shelf, ttlMs: rule.ttlMs ?? around.ttlMs }
  }
}
