/** Calls by key. Callers share the result of a call that is in flight. */
export class CoalescedCalls<Result> {
  readonly #underWay = new Map<string, Promise<Result>>()

  /** Returns the call in flight, or begins one by `send`. */
  join(key: string, send: () => Promise<Result>): Promise<Result> {
    const underWay = this.#underWay.get(key)
    if (underWay !== undefined) return underWay
    const call = send().finally(() => {
      if (this.#underWay.get(key) === call) this.#underWay.delete(key)
    })
    this.#underWay.set(key, call)
    return call
  }

  /** Closes the call to newcomers, since its result may be out of date. */
  forget(key: string): void {
    this.#underWay.delete(key)
  }

  forgetAll(): void {
    this.#underWay.clear()
  }
}
