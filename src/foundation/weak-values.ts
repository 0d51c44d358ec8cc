/** Values by key, each of which is kept only as long as somebody else holds it. */
export class WeakValues<Value extends object> {
  readonly #references = new Map<string, WeakRef<Value>>()
  readonly #collected = new FinalizationRegistry<string>((key) => {
    // Another value may have taken its place meanwhile.
    if (this.get(key) === undefined) this.#references.delete(key)
  })

  get(key: string): Value | undefined {
    return this.#references.get(key)?.deref()
  }

  set(key: string, value: Value): void {
    this.#references.set(key, new WeakRef(value))
    this.#collected.register(value, key)
  }

  /** The number of values, those included that were collected a moment ago. */
  get size(): number {
    return this.#references.size
  }
}
