import { AsyncLocalStorage } from 'node:async_hooks'
import { type Inheritance, LoadInheritance } from './inheritance.ts'

/**
 * Tells which reads are made by a loader whose entry inherits what it reads (`inherit: true`), also by code that the
 * loader calls. Each cache has its own, since an entry cannot be bound to the generations of another cache.
 *
 * As with a `change`, the `AsyncLocalStorage` is in use only while such a loader runs, and every other call pays for one
 * comparison.
 */
export class OpenInheritances {
  readonly #running = new AsyncLocalStorage<Inheritance | undefined>()
  #open = 0

  /** That of the loader that the running code is part of; `undefined` if there is none, or its load has ended. */
  get current(): Inheritance | undefined {
    if (this.#open === 0) return undefined
    const inheritance = this.#running.getStore()
    return inheritance === undefined || inheritance.isOver ? undefined : inheritance
  }

  /** A load whose entry inherits begins. */
  begin(): LoadInheritance {
    this.#open++
    return new LoadInheritance()
  }

  /** Called when its loader has ended. */
  end(inheritance: LoadInheritance): void {
    inheritance.isOver = true
    if (--this.#open === 0) this.#running.disable()
  }

  /**
   * Runs a loader.
   * @param inheritance is told of its reads; `undefined` if its entry does not inherit: then nobody is, also if another
   * loader has begun this one
   */
  run<Result>(inheritance: Inheritance | undefined, loader: () => Result): Result {
    return this.#open === 0 ? loader() : this.#running.run(inheritance, loader)
  }
}
