import { KeySpace } from '../../src/cache/keys/key-space.ts'
import { COMPOSITE_KEY, type Defect } from './defect.ts'
import { PREFIX } from './simulated-process.ts'

/** What may happen in a schedule. */
export interface Setting {
  readonly processes: number
  /** Operations that are begun at most. */
  readonly actions: number
  /** Whether anything is invalidated or written. */
  readonly invalidates: boolean
  /** Whether connections break, entries are evicted, servers restart, processes crash, time jumps. */
  readonly faults: boolean
  readonly ttlMs: number
  /** Both stale windows. */
  readonly staleMs: number
  readonly local: boolean
  /** Whether the generation of a namespace has several copies, as on a cluster. @default false */
  readonly copies?: boolean
  /** Whether calls differ in how they want values loaded: early, anew, in batches, conditionally, within a time. */
  readonly policies?: boolean
  /**
   * Whether a third of the loaders fail, and callers wait for none of them for long: stale values often stand in.
   * @default false
   */
  readonly sickSource?: boolean
  /**
   * For how long it is remembered that a load has failed. Then it is also remembered that the source has no value.
   * @default nothing is
   */
  readonly failureMs?: number
  /** Whether keys are reserved as well: by slots of any kind, or only by those that wait. @default by none */
  readonly slots?: 'any' | 'waiting'
  /** Whether the source also changes in transactions, which hold what they change or not. @default false */
  readonly transactions?: boolean
  /** Whether there is a value that is made of the others, and inherits from them. @default false */
  readonly composites?: boolean
  /** Whether entries are expired as well, by their key and by a tag. @default false */
  readonly expiries?: boolean
  /** Whether processes pass tokens to one another, and read at least what these stand for. @default false */
  readonly tokens?: boolean
  /** Whether all values stay in their processes (`store: 'local'`). @default false */
  readonly holding?: boolean
  readonly defects?: readonly Defect[]
}

/** The longest that the clock of a server can be misjudged where replies come within their deadline, twice over. */
export const CLOCK_ERROR_MS = 1_100

/** A key of a namespace, and the tags that it bears as a rule. */
export interface Place {
  readonly key: string
  readonly storedKey: string
  readonly space: KeySpace
  readonly tags: readonly string[]
}

export const ROOT: KeySpace = new KeySpace(PREFIX)
const WITHIN = ROOT.within('n')
/** A schedule begins with the last of them. */
export const PLACES: readonly Place[] = [
  place(WITHIN, 'c', ['t']),
  place(ROOT, 'b', ['t', 'u']),
  place(ROOT, 'a', ['t']),
]
/** The value that is made of one of the others. */
export const COMPOSITE: Place = place(ROOT, COMPOSITE_KEY, [])
/** Tags that calls and values name. */
export const TAGS = ['t', 'u', 'v'] as const

function place(space: KeySpace, key: string, tags: readonly string[]): Place {
  return { key, space, tags, storedKey: space.storedKey(key) }
}
