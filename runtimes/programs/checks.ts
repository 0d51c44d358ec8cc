/** What a program of this folder prints, a line of JSON each. */
export type Told =
  | { readonly passed: string }
  | { readonly failed: string; readonly why: string }
  /** What this runtime cannot do. */
  | { readonly left: string }
  /** All checks have been made. After this line the process has to end by itself. */
  | { readonly done: true }

const CHECK_WITHIN_MS = 20_000
const LONGEST_REASON = 1_000

interface Check {
  readonly title: string
  readonly body: () => Promise<void>
}

/** Checks that are collected first, since that is how the contract suite hands them out, and then made. */
export class Checks {
  readonly #checks: Check[] = []
  #group: readonly string[] = []

  /** As of a test runner: its body registers checks. */
  readonly describe = (name: string, body: () => void): void => {
    const around = this.#group
    this.#group = [...around, name]
    body()
    this.#group = around
  }

  /** As of a test runner: registers a check. */
  readonly it = (name: string, body: () => Promise<void>): void => {
    this.#checks.push({ title: [...this.#group, name].join(' > '), body })
  }

  /** Makes all checks, `lanes` at a time, and tells of each. */
  async run(lanes: number): Promise<void> {
    const waiting = [...this.#checks]
    const lane = async () => {
      for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) await make(check)
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }
}

/** Makes a check now, and tells of it. */
export async function make({ body, title }: Check): Promise<void> {
  try {
    await within(body(), CHECK_WITHIN_MS)
    tell({ passed: title })
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? String(error)) : String(error)
    tell({ failed: title, why: why.slice(0, LONGEST_REASON) })
  }
}

export function tell(what: Told): void {
  console.log(JSON.stringify(what))
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It has not ended within ${ms} ms`)), ms)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
