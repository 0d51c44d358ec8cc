/** Calls by key: callers share the result of a call that is under way. */
export class CoalescedCalls<Result> {
  readonly #underWay = new Map<string, Promise<Result>>()

  /** The call under way, or the one that `send` begins. */
  join(key: string, send: () => Promise<Result>): Promise<Result> {
    const underWay = this.#underWay.get(key)
    if (underWay !== undefined) return underWay
    const call = send().finally(() => {
      if (this.#underWay.get(key) === call) this.#underWay.delete(key)
    })
    this.#underWay.set(key, call)
    return call
  }

  /** The result may be out of date: nobody joins the call any more. */
  forget(key: string): void {
    this.#underWay.delete(key)
  }

  forgetAll(): void {
    this.#underWay.clear()
  }
}
