import type { Accepts } from '../entries/acceptance.ts'
import type { Policies } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { Loader } from './load-context.ts'

/** Loads of several keys that share one call of their loader. */
export interface SharedLoad {
  /** A flight of this key has begun: it may come to call the loader. */
  expect(storedKey: string): void
  /** It has called the loader, has ended, or waits for another process: nobody need wait for it. */
  decided(storedKey: string): void
}

/** One call of `getOrSet` that the local tier could not answer, or a load in the background. */
export interface LoadRequest {
  readonly space: KeySpace
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry must depend on: of its namespaces and of its tags. */
  readonly generationKeys: readonly string[]
  readonly policies: Policies
  readonly loader: Loader<unknown>
  /** Whether a value that was found may be served; where it may not, the key is loaded. @default any may */
  readonly accepts?: Accepts | undefined
  readonly shared?: SharedLoad | undefined
  /** Set where nobody waits: it is left to another process that is loading the key already. */
  readonly isBackground?: boolean
  /** What is there is to be replaced: the entry with this stamp, or any. */
  readonly replaces?: { readonly stamp: string | undefined } | 'any' | undefined
}
