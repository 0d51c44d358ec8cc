/**
 * What holds for the keys of each namespace. It belongs to the names and not to the caller, since all callers of a key
 * share its local entry.
 */
export class PrefixRules<Rule> {
  readonly #common: Rule
  /** The rules of the namespaces that have one of their own, by prefix. */
  readonly #own = new Map<string, Rule>()

  /** @param common the rule of all keys that lie in no namespace with a rule of its own */
  constructor(common: Rule) {
    this.#common = common
  }

  /** Whether all keys have the same rule. */
  get isUniform(): boolean {
    return this.#own.size === 0
  }

  /** The rule of a key, or of all keys under a prefix: that of the innermost namespace with one of its own. */
  of(name: string): Rule {
    if (this.#own.size === 0) return this.#common
    for (let end = name.lastIndexOf(':'); end >= 0; end = name.lastIndexOf(':', end - 1)) {
      const rule = this.#own.get(name.slice(0, end + 1))
      if (rule !== undefined) return rule
      if (end === 0) break
    }
    return this.#common
  }

  /** The rule of a namespace, if it has one of its own. */
  own(prefix: string): Rule | undefined {
    return this.#own.get(prefix)
  }

  /** The rules of the namespaces that have one of their own. */
  get all(): readonly Rule[] {
    return [...this.#own.values()]
  }

  set(prefix: string, rule: Rule): void {
    this.#own.set(prefix, rule)
  }
}
