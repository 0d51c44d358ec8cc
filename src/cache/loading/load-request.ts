import type { BackgroundHook } from '../../contract/background-hook.ts'
import type { Monitor } from '../core/monitor.ts'
import type { Accepts } from '../entries/acceptance.ts'
import type { Judgement, Wants } from '../entries/judgement.ts'
import type { Policies } from '../freshness/policies.ts'
import type { Inheritance } from '../inheritance/inheritance.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { Loader } from './load-context.ts'

/** Loads of several keys that share one call of their loader. */
export interface SharedLoad {
  /** Called when the load of a key begins. It may call the loader later. */
  expect(storedKey: string): void
  /** Called when that load has called the loader, has ended, or waits for another process: do not wait for it. */
  decided(storedKey: string): void
  /** Called when another loader waits for one of the keys: the call of the loader must not wait for its turn. */
  hurry(): void
}

/** One call of `getOrSet` that the local tier could not answer, or a load in the background. */
export interface LoadRequest extends Wants {
  readonly space: KeySpace
  readonly monitor: Monitor
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry must be bound to: those of its namespaces and of its tags. */
  readonly generationKeys: readonly string[]
  readonly policies: Policies
  /** The age beyond which a found value is stale for this caller. */
  readonly maxAgeMs?: number | undefined
  /** How long ago a local copy may have been read to count for this caller. */
  readonly copyTtlMs?: number | undefined
  /**
   * Set if the caller must see all that Redis acknowledged before its call, a moment of the generation table: it joins
   * nothing that was read or loaded before, and nothing of it is kept in the local tier (`local: false`).
   */
  readonly since?: number | undefined
  readonly loader: Loader<unknown>
  /** Whether a found value may be served; if not, the key is loaded. @default every value may be served */
  readonly accepts?: Accepts | undefined
  readonly shared?: SharedLoad | undefined
  /** Told of the value: that of the loader which asks, if its entry inherits. */
  readonly outer?: Inheritance | undefined
  /** Is handed the work that goes on after the call, in place of the cache's hook. */
  readonly background?: BackgroundHook | undefined
  /** Detaches the caller. */
  readonly signal?: AbortSignal | undefined
  /** When the caller called, if it has a timeout. In milliseconds of the monotonic clock. */
  readonly calledAtMs?: number | undefined
  /** Set if its loader is the holder of a slot, which is no load of the source. */
  readonly isTurn?: boolean
  /** Set if no caller waits. The load ends if another process is loading the key and the old value is servable. */
  readonly isBackground?: boolean
  /** Whether it is part of a change, and goes past the cache: nothing cached is served, and nothing is stored. */
  readonly isPast?: boolean | undefined
  /** Replaces an entry even if it is fresh: the one with this stamp, or any. */
  readonly replaces?: { readonly stamp: string | undefined } | 'any' | undefined
}

/** The part of a flight that its load uses. */
export interface LoadingFlight {
  /** Whether every caller has left. */
  readonly isAbandoned: boolean
  /** Whether its key was changed since it began, or may have been: its load tells nothing of the present. */
  readonly isClosed: boolean
  /** Aborts when every caller has left. */
  readonly signal: AbortSignal
  /** The valid entry that the flight found, which may be stale. */
  readonly found: LocalEntry | undefined
  /** Called just before the loader. */
  beginLoading(nowMs: number): void
  /** Calls back when every caller has left; immediately if they already have. */
  onAbandoned(callback: () => void): void
}

/** The read that begins a flight. */
export interface FirstRead {
  /** A moment of the generation table, before the read was sent. */
  readonly askedAt: number
  /** The epoch of the local tier when the read was sent. */
  readonly epoch: number
  /** Why the key could not be read; `undefined` if it could, or is still being read. */
  readonly failure: unknown
  /** Whether no change touched the key between the request and the reply. Otherwise the flight reads it again. */
  readonly isCurrent: boolean
  /** The judgement of the read; a promise if it is not known yet. @throws CacheError if the key cannot be read */
  judged(): Judgement | Promise<Judgement>
}
