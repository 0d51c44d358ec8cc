/** A loader that counts its calls, and answers what it is told. */
export class Source<T = unknown> {
  value: T
  loads = 0
  error: Error | undefined

  constructor(value: T) {
    this.value = value
  }

  readonly load = async (): Promise<T> => {
    this.loads++
    if (this.error !== undefined) throw this.error
    return this.value
  }
}

/** A loader whose end the test decides. */
export function heldLoader<T>(value: T): {
  readonly load: () => Promise<T>
  readonly begun: Promise<void>
  release(): void
  fail(error: Error): void
} {
  const begun = deferred<void>()
  const held = deferred<T>()
  return {
    load() {
      begun.resolve()
      return held.promise
    },
    begun: begun.promise,
    release: () => held.resolve(value),
    fail: (error) => held.reject(error),
  }
}

/** A promise that the test settles. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
} {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
