import { type OpenContexts, RareContext } from '../../foundation/rare-context.ts'

/** A write that is sent when the change that it was called in has succeeded. Neither function's promise rejects. */
export interface CollectedWrite {
  send(): Promise<unknown>
  /** Called in place of `send` if the change has failed. */
  drop?(): Promise<unknown>
}

/** The writes that were called within one `change`, in the order of their calls. */
export class CollectedWrites {
  readonly #writes: CollectedWrite[] = []
  #isOpen = true

  /** Whether the work of the change is under way. What that work has left behind when it ended writes at once. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  add(write: CollectedWrite): void {
    this.#writes.push(write)
  }

  /** Ends the collection, and returns it. */
  close(): readonly CollectedWrite[] {
    this.#isOpen = false
    return this.#writes
  }
}

/** Tells which calls are made within a `change` of this cache, also by code that its work calls. */
export class OpenChanges {
  readonly #context: RareContext<CollectedWrites>

  constructor(contexts: OpenContexts) {
    this.#context = new RareContext(contexts)
  }

  /** The change that the running code is part of; `undefined` if there is none, or its work has ended. */
  get current(): CollectedWrites | undefined {
    const writes = this.#context.current
    return writes?.isOpen ? writes : undefined
  }

  /** Runs the work of a change. The writes are open until it settles. */
  async run<Result>(writes: CollectedWrites, work: () => Result | Promise<Result>): Promise<Result> {
    this.#context.open()
    try {
      return await this.#context.run(writes, work)
    } finally {
      writes.close()
      this.#context.close()
    }
  }
}
