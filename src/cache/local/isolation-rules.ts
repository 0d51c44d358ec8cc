import type { Isolation } from './isolation.ts'

/**
 * The isolation of each namespace. It belongs to the stored key and not to the caller, since all callers of a key share
 * its local entry.
 */
export class IsolationRules {
  readonly #common: Isolation
  /** The isolation of the namespaces that have one of their own, by prefix. */
  readonly #own = new Map<string, Isolation>()

  constructor(common: Isolation) {
    this.#common = common
  }

  /** The isolation of a key, or of all keys under a prefix: that of the innermost namespace with one of its own. */
  of(storedKey: string): Isolation {
    if (this.#own.size === 0) return this.#common
    for (let end = storedKey.lastIndexOf(':'); end >= 0; end = storedKey.lastIndexOf(':', end - 1)) {
      const isolation = this.#own.get(storedKey.slice(0, end + 1))
      if (isolation !== undefined) return isolation
      if (end === 0) break
    }
    return this.#common
  }

  /** Gives a namespace an isolation of its own, for good. @returns whether it has no other one yet */
  claim(prefix: string, isolation: Isolation): boolean {
    const own = this.#own.get(prefix)
    if (own === undefined) this.#own.set(prefix, isolation)
    return own === undefined || own === isolation
  }
}
