import { type OpenContexts, RareContext } from '../../foundation/rare-context.ts'
import { type Inheritance, LoadInheritance } from './inheritance.ts'

/**
 * Tells which reads are made by a loader whose entry inherits what it reads (`inherit: true`), also by code that the
 * loader calls. Each cache has its own, since an entry cannot be bound to the generations of another cache.
 */
export class OpenInheritances {
  readonly #context: RareContext<Inheritance | undefined>

  constructor(contexts: OpenContexts) {
    this.#context = new RareContext(contexts)
  }

  /** That of the loader that the running code is part of; `undefined` if there is none, or its load has ended. */
  get current(): Inheritance | undefined {
    const inheritance = this.#context.current
    return inheritance === undefined || inheritance.isOver ? undefined : inheritance
  }

  /** A load whose entry inherits begins. */
  begin(): LoadInheritance {
    this.#context.open()
    return new LoadInheritance()
  }

  /** Called when its loader has ended. */
  end(inheritance: LoadInheritance): void {
    inheritance.isOver = true
    this.#context.close()
  }

  /**
   * Runs a loader.
   * @param inheritance is told of its reads; `undefined` if its entry does not inherit: then nobody is, also if another
   * loader has begun this one
   */
  run<Result>(inheritance: Inheritance | undefined, loader: () => Result): Result {
    return this.#context.run(inheritance, loader)
  }
}
