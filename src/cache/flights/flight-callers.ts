/** Those who wait for a flight; work in the background counts as one. When the last one leaves, the flight is abandoned. */
export class FlightCallers {
  #count = 0
  #isClaimed = false
  #areGone = false
  /** Made when it is first asked for: most flights end with a read. */
  #controller: AbortController | undefined
  readonly #onGone: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  /** `true` for the caller that began the flight, which asks first. */
  claim(): boolean {
    const isFirst = !this.#isClaimed
    this.#isClaimed = true
    return isFirst
  }

  /** Whether all have left. */
  get areGone(): boolean {
    return this.#areGone
  }

  enter(): void {
    this.#count++
  }

  /** Returns whether the caller was the last one. */
  leave(): boolean {
    return --this.#count === 0
  }

  /** Nobody wants the value any more. */
  abandon(): void {
    this.#areGone = true
    this.#abort()
    for (const callback of this.#onGone.splice(0)) callback()
  }

  /** Aborts when all have left. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#areGone) this.#abort()
    }
    return this.#controller.signal
  }

  /** Calls back when all have left, at once where they have. Costs less than listening to {@link signal}. */
  onGone(callback: () => void): void {
    if (this.#areGone) callback()
    else this.#onGone.push(callback)
  }

  #abort(): void {
    this.#controller?.abort(new DOMException('Every caller has gone', 'AbortError'))
  }
}
