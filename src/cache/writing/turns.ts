/** The place of a write or a removal among those of its keys. */
export class Turn {
  /** Resolves when all earlier writes of its keys were sent or have failed; `undefined` if there was none to wait for. */
  readonly earlier: Promise<unknown> | undefined
  readonly #turns: Map<string, Turn>
  readonly #storedKeys: readonly string[]
  #isSent = false
  #sent: Promise<void> | undefined
  #resolve: () => void = () => {}

  constructor(turns: Map<string, Turn>, storedKeys: readonly string[]) {
    this.#turns = turns
    this.#storedKeys = storedKeys
    const unsent = new Set<Promise<void>>()
    for (const storedKey of storedKeys) {
      const last = turns.get(storedKey)
      if (last !== undefined && !last.#isSent) unsent.add(last.#whenSent())
      turns.set(storedKey, this)
    }
    this.earlier = unsent.size === 0 ? undefined : Promise.all(unsent)
  }

  /** Whether a later write or removal of this key was called. */
  isReplaced(storedKey: string): boolean {
    return this.#turns.get(storedKey) !== this
  }

  /** Called when the write has been sent. Those after it need not wait for its reply: Redis executes them in order. */
  pass(): void {
    this.#isSent = true
    this.#resolve()
  }

  /** Called before the write is sent once more. Nothing may have replaced it. */
  repeat(): void {
    this.#isSent = false
    this.#sent = undefined
  }

  /** Called when the write is over. */
  end(): void {
    this.pass()
    for (const storedKey of this.#storedKeys) {
      if (this.#turns.get(storedKey) === this) this.#turns.delete(storedKey)
    }
  }

  #whenSent(): Promise<void> {
    this.#sent ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#sent
  }
}

/** The writes and removals in flight, by key. They are sent in the order of their calls. */
export class Turns {
  readonly #turns = new Map<string, Turn>()

  /** Takes the next place for these keys. Every turn must be ended. */
  take(storedKeys: readonly string[]): Turn {
    return new Turn(this.#turns, storedKeys)
  }
}
