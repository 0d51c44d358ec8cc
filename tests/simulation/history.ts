/** The source of a schedule has failed. */
export class LoaderFailure extends Error {}

/** A value that was loaded or written, and what would make it old. */
export interface KnownValue {
  readonly text: string
  readonly storedKey: string
  /** Stored keys of its tags. */
  readonly tagKeys: Set<string>
  readonly isPlain: boolean
  /** The stored key of the entry that it is made of, and inherits from. */
  readonly madeOf?: string
  /** The last moment at which it was the newest: when its loader read the source, or Redis took the write. */
  lastNewAt: number
  /** The same on the virtual clock; and how long it may be served from then on. */
  bornMs: number
  readonly servableMs: number
  /** When its load came to its end; until then, others of its process may join it. */
  loadedAt: number
  /** Whether it was loaded without a lease: then nobody tells its process of changes made by others. */
  readonly isUncached: boolean
}

/** An operation that makes older values old. */
export interface Invalidation {
  readonly label: string
  /** `undefined` for a change that none of our processes made. */
  readonly processId: number | undefined
  readonly beganAt: number
  readonly concerns: (value: KnownValue) => boolean
  /** Whether it renews generations, and leaves what is under the keys. */
  isOfGenerations?: boolean
  /** How long what it concerns may still be served as stale, if it only makes that stale. */
  staleMs?: number
  /** Whether what it concerns was held when it began: nothing older is stored from then on. */
  isHeld?: boolean
  /** When it had come to its end, well or not. */
  settledAt: number
  /** When it was acknowledged. */
  acknowledgedAt: number
  acknowledgedMs: number
  /** For each process, tells whether what Redis sent it until the acknowledgement has arrived. */
  hasReached: ReadonlyMap<number, () => boolean>
}

/** One call that may return a value. */
export interface Question {
  readonly processId: number
  readonly storedKey: string
  readonly tagKeys: readonly string[]
  readonly beganAt: number
  readonly beganMs: number
  /** Whether it may be answered with a stale value. @default true */
  readonly takesStale?: boolean
  /** What it must not return anything older than. */
  readonly binding: readonly Invalidation[]
}

/** An acknowledged write, and how often its key and what it depends on had been touched. */
export interface Write {
  readonly value: KnownValue
  readonly keys: readonly (readonly [storedKey: string, touched: number])[]
}
