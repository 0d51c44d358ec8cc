/** What a worker process is started for. */
export type Job = PingJob | ZipfJob | StampedeJob | MemoryJob

/** Pings a server until the turn ends, and answers the latencies. */
export interface PingJob {
  readonly kind: 'ping'
  readonly url: string
}

/** Reads and writes keys as often as their rank says. */
export interface ZipfJob {
  readonly kind: 'zipf'
  readonly url: string
  readonly contender: string
  readonly tier: 'shared' | 'local'
  readonly keys: number
  readonly localEntries: number
  readonly inFlight: number
  readonly seed: number
}

/** Asks for one cold key so many times at once; each turn for the next. */
export interface StampedeJob {
  readonly kind: 'stampede'
  readonly url: string
  readonly contender: string
  readonly tier: 'shared' | 'local'
  readonly callers: number
  readonly loadMs: number
  readonly firstId: number
}

/** Keeps entries in the process. */
export interface MemoryJob {
  readonly kind: 'memory'
  readonly url: string
  readonly contender: string
  readonly payload: string
  readonly entries: number
}

/** What a turn of a job came to. */
export type Outcome = Readonly<Record<string, number>>

/** A job that is ready to start. */
export interface PreparedJob {
  /** One turn; those of all processes of a fleet begin together. @param ms how long it lasts, where the job has no end of its own */
  turn(ms: number): Promise<Outcome>
  /** Ends a turn that has no end of its own. */
  finish?(): void
}

/** What the parent tells a worker. */
export type Order = { readonly order: 'turn'; readonly ms: number } | { readonly order: 'finish' }

/** What a worker tells its parent. */
export type Message =
  | { readonly state: 'ready' }
  | { readonly state: 'done'; readonly outcome: Outcome }
  | { readonly state: 'failed'; readonly reason: string }
