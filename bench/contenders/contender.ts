/** What a scenario tells every contender alike. */
export interface Setting {
  readonly url: string
  /** What its keys begin with, so that no contender sees another's. */
  readonly prefix: string
  /** `'text'` where values are strings, which hand-written code would not encode. */
  readonly format: 'object' | 'text'
  readonly ttlMs: number
  /** Entries that a tier in the process may hold. */
  readonly localEntries: number
  /** Tags that every entry bears; a contender without tags cannot be opened with any. */
  readonly tags: readonly string[]
  load(key: string): Promise<unknown>
  loadMany(keys: readonly string[]): Promise<readonly unknown[]>
}

/** An opened contender: what it can do, each the way its own documentation does it. */
export interface Store {
  /** Reads a key. A cache loads and stores what is missing; what only reads has nothing to load it with. */
  get(key: string): Promise<unknown>
  set?(key: string, value: unknown): Promise<unknown>
  delete?(key: string): Promise<unknown>
  /** Adds 1 to a counter. */
  incr?(key: string): Promise<number>
  /** The values in any order, or a map of them. */
  getMany?(keys: string[]): Promise<Iterable<unknown> | ReadonlyMap<string, unknown>>
  /** As `getMany`, and loads and stores what is missing. */
  getOrSetMany?(keys: string[]): Promise<Iterable<unknown> | ReadonlyMap<string, unknown>>
  clear?(): Promise<unknown>
  invalidateTag?(tag: string): Promise<unknown>
  /** Resolves when nothing is going on in the background. */
  idle?(): Promise<void>
  close(): Promise<unknown>
}

/** Who a contender is to the reader of a table. */
export type Kind = 'ours' | 'by hand' | 'peer' | 'limit'

/** A library, or hand-written code, that scenarios can run. */
export interface Contender {
  readonly name: string
  readonly kind: Kind
  /** What its user imports. */
  readonly imports: readonly string[]
  /** With all data in Redis and none in the process. */
  openShared?(setting: Setting): Promise<Store>
  /** With a tier in the process, over Redis where there is `openShared`, told of changes where it can be. */
  openLocal?(setting: Setting): Promise<Store>
  /** Whether it has tags. */
  readonly hasTags?: boolean
  /** Whether its `get` loads and stores what is missing. */
  readonly loadsMissing?: boolean
  /** Whether its local tier stands over Redis, so that processes share what they load. @default false */
  readonly isTiered?: boolean
  /** Whether invalidating a tag leaves its entries where they are, so that another time is the same work. @default false */
  readonly keepsInvalidated?: boolean
  /** Whether its format improves with what it has seen, so that what it wrote first is written once more. @default false */
  readonly learns?: boolean
}
