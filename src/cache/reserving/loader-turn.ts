import type { LoadContext, Loader } from '../loading/load-context.ts'

/**
 * The loader of a flight whose value comes from the holder of a slot. The flight calls it when the key is leased to this
 * process; it then waits until the slot is filled or given back.
 */
export class LoaderTurn {
  /** Resolves when the flight has called the loader. */
  readonly begun: Promise<LoadContext>
  #begin: (context: LoadContext) => void = () => {}
  #context: LoadContext | undefined
  #resolve: ((value: unknown) => void) | undefined
  #isDeclined = false

  constructor() {
    this.begun = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  readonly loader: Loader<unknown> = (context) => {
    if (this.#isDeclined) {
      context.giveBack()
      return undefined
    }
    return new Promise((resolve) => {
      this.#context = context
      this.#resolve = resolve
      this.#begin(context)
    })
  }

  /** Ends the load with a value. */
  end(value: unknown): void {
    this.#resolve?.(value)
  }

  /** Ends the load without a value, now or when the loader is called: another caller may load the key. */
  giveBack(): void {
    this.#isDeclined = true
    this.#context?.giveBack()
    this.#resolve?.(undefined)
  }
}
