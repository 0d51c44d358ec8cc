import type { Accepts } from '../entries/acceptance.ts'
import type { Judgement, Wants } from '../entries/judgement.ts'
import type { Policies } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { Loader } from './load-context.ts'

/** Loads of several keys that share one call of their loader. */
export interface SharedLoad {
  /** A load of this key has begun: it may come to call the loader. */
  expect(storedKey: string): void
  /** It has called the loader, has ended, or waits for another process: nobody need wait for it. */
  decided(storedKey: string): void
}

/** One call of `getOrSet` that the local tier could not answer, or a load in the background. */
export interface LoadRequest extends Wants {
  readonly space: KeySpace
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry has to be bound to: of its namespaces and of its tags. */
  readonly generationKeys: readonly string[]
  readonly policies: Policies
  readonly loader: Loader<unknown>
  /** Whether a value that was found may be served; where it may not, the key is loaded. @default any may */
  readonly accepts?: Accepts | undefined
  readonly shared?: SharedLoad | undefined
  /** Detaches the caller. */
  readonly signal?: AbortSignal | undefined
  /** When it called, where it may lose its patience, in milliseconds of the monotonic clock. */
  readonly calledAtMs?: number | undefined
  /** Set where nobody waits: it is left to another process that is loading the key already. */
  readonly isBackground?: boolean
  /** What is there is to be replaced: the entry with this stamp, or any. */
  readonly replaces?: { readonly stamp: string | undefined } | 'any' | undefined
}

/** The flight that a load runs for, as far as the load knows it. */
export interface LoadingFlight {
  /** Whether every caller has left. */
  readonly isAbandoned: boolean
  /** Aborts when every caller has left. */
  readonly signal: AbortSignal
  /** The valid entry that the flight found, which may be stale. */
  readonly found: LocalEntry | undefined
  /** The loader is about to be called. */
  beginLoading(nowMs: number): void
  /** Calls back when every caller has left, at once if they have. */
  onAbandoned(callback: () => void): void
}

/** The read with which a flight begins. */
export interface FirstRead {
  /** A moment of the generation table before it was sent. */
  readonly askedAt: number
  /** That of the local tier when it was sent. */
  readonly epoch: number
  /** Why the key could not be read; `undefined` if it could, or is still being read. */
  readonly failure: unknown
  /** Whether nothing touched the key before the reply. Otherwise the flight reads it again. */
  readonly isCurrent: boolean
  /** What was found; a promise where that is still to be found out. @throws CacheError where the key cannot be read */
  judged(): Judgement | Promise<Judgement>
}
