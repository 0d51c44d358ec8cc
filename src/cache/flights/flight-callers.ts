/** The callers of a flight; work in the background counts as one. When the last one leaves, the flight is abandoned. */
export class FlightCallers {
  #count = 0
  #isClaimed = false
  #areGone = false
  /** Created at the first use: most flights end with a read and need none. */
  #controller: AbortController | undefined
  readonly #onGone: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  /** Returns `true` at the first call only, which comes from the caller that began the flight. */
  claim(): boolean {
    const isFirst = !this.#isClaimed
    this.#isClaimed = true
    return isFirst
  }

  /** Whether all callers have left. */
  get areGone(): boolean {
    return this.#areGone
  }

  enter(): void {
    this.#count++
  }

  /** Returns whether this caller was the last one. */
  leave(): boolean {
    return --this.#count === 0
  }

  /** Called when no caller wants the value any more. */
  abandon(): void {
    this.#areGone = true
    this.#abort()
    for (const callback of this.#onGone.splice(0)) callback()
  }

  /** Aborts when all callers have left. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#areGone) this.#abort()
    }
    return this.#controller.signal
  }

  /** Calls back when all callers have left, immediately if they already have. Costs less than {@link signal}. */
  onGone(callback: () => void): void {
    if (this.#areGone) callback()
    else this.#onGone.push(callback)
  }

  #abort(): void {
    this.#controller?.abort(new DOMException('Every caller has gone', 'AbortError'))
  }
}
