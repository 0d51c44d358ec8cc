/**
 * Whether a flight may still be joined, by what was heard of its key (L4).
 *
 * An invalidation closes it. A push, however, cannot be told from the echo of the flight's own lease, so a push only
 * raises a doubt, and the next newcomer settles the doubt by asking Redis whether the key still holds the token.
 */
export class FlightDoubts {
  #isOpen = true
  /** Counts the pushes that may have been more than echoes. */
  #raised = 0
  #settled = 0
  #settling: Promise<boolean> | undefined

  get standing(): 'open' | 'closed' | 'doubted' {
    if (!this.#isOpen) return 'closed'
    return this.#raised === this.#settled ? 'open' : 'doubted'
  }

  close(): void {
    this.#isOpen = false
  }

  raise(): void {
    this.#raised++
  }

  /**
   * Resolves to whether the flight may be joined. Those who ask meanwhile share the answer.
   * @param isHeld asks whether the key still holds the token
   */
  settle(isHeld: () => Promise<boolean>): Promise<boolean> {
    this.#settling ??= this.#settle(isHeld).finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settle(isHeld: () => Promise<boolean>): Promise<boolean> {
    while (this.standing === 'doubted') {
      const raised = this.#raised
      if (await isHeld()) this.#settled = raised
      else this.close()
    }
    return this.#isOpen
  }
}
