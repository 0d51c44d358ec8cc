/**
 * Whether newcomers may still join a flight, by what this process has learned about its key (L4).
 *
 * An own invalidation closes the flight. A push may be the echo of the flight's own lease, so it only raises a doubt.
 * The next newcomer settles the doubt: it asks Redis whether the key still holds the token.
 */
export class FlightDoubts {
  #isOpen = true
  /** Counts the pushes that may be more than echoes. */
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
   * Resolves to whether newcomers may join the flight. Concurrent calls share the answer.
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
