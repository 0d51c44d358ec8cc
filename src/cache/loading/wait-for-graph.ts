import { abbreviate } from '../../foundation/errors/cache-error.ts'
import { LoaderCall, type Wait } from './loader-call.ts'

/** The most keys of a cycle that a message names. */
const MOST_NAMED = 10

/** A step of the search for a cycle, and the step that led to it. */
interface Step {
  readonly wait: Wait
  readonly from: Step | undefined
}

/**
 * Which loaders of a cache run, by stored key, and what their code waits for. It finds the loads that would wait for
 * themselves for ever: a loader that asks for its own key, directly or through other loaders, also those of other
 * caches. Two loaders that two requests have begun may wait for each other, too.
 *
 * Keys are compared, not flights. A loader that asks for its own key after a change of it would begin another load,
 * whose loader asks again; and the other load may have to wait for the lease of the first one.
 */
export class WaitForGraph {
  readonly #isOn: boolean
  readonly #isTracked: boolean
  readonly #loaders = new Map<string, readonly LoaderCall[]>()

  /** @param isTracked whether the code of loaders is to be recognized for another reason */
  constructor(isOn: boolean, isTracked: boolean) {
    this.#isOn = isOn
    this.#isTracked = isOn || isTracked
  }

  /** Whether a loader of this key is running in this process. */
  isLoading(storedKey: string): boolean {
    return this.#loaders.has(storedKey)
  }

  /** Called before a loader. */
  begin(storedKey: string): LoaderCall {
    const call = new LoaderCall(this.#isTracked)
    this.#loaders.set(storedKey, [...this.#of(storedKey), call])
    return call
  }

  /** Called when the loader has ended. */
  end(storedKey: string, call: LoaderCall): void {
    call.end()
    const others = this.#of(storedKey).filter((other) => other !== call)
    if (others.length > 0) this.#loaders.set(storedKey, others)
    else this.#loaders.delete(storedKey)
  }

  #of(storedKey: string): readonly LoaderCall[] {
    return this.#loaders.get(storedKey) ?? []
  }

  /** The running code begins to wait for the load of a key. Returns a function that ends the wait. */
  wait(storedKey: string): (() => void) | undefined {
    return this.#isOn ? LoaderCall.current()?.begin(this.#waitFor(storedKey)) : undefined
  }

  #waitFor(storedKey: string): Wait {
    return { storedKey, loaders: () => this.#of(storedKey) }
  }

  /** The keys on the way from this key back to it, if the running loader waited for it; `undefined` if there is none. */
  cycleThrough(storedKey: string): string | undefined {
    const asking = this.#isOn ? LoaderCall.current() : undefined
    if (asking === undefined) return undefined
    const seen = new Set<LoaderCall>()
    const steps: Step[] = [{ wait: this.#waitFor(storedKey), from: undefined }]
    // The list grows on the way. Recursion would overflow the stack where loaders are nested deeply.
    for (const step of steps) {
      for (const part of step.wait.loaders().flatMap((call) => call.parts)) {
        if (part === asking) return textOf(step)
        if (seen.has(part)) continue
        seen.add(part)
        for (const wait of part.waits) steps.push({ wait, from: step })
      }
    }
    return undefined
  }
}

function textOf(last: Step): string {
  const keys: string[] = []
  for (let step: Step | undefined = last; step !== undefined; step = step.from)
    keys.unshift(step.wait.storedKey)
  const named = [...keys, keys[0] as string].map(abbreviate)
  if (named.length > MOST_NAMED) named.splice(MOST_NAMED - 1, named.length - MOST_NAMED, '…')
  return named.join(' → ')
}
