/** How a process hears of the changes of others, and by which client: each one has caches of its own. */
export const MODES = ['tracking', 'bus, ioredis 5', 'bus, ioredis 6', 'ttl'] as const
export type Mode = (typeof MODES)[number]

/** What the stored keys of a mode begin with. */
export function prefixOf(mode: Mode): string {
  return `${mode.replaceAll(/\W+/g, '-')}:`
}

/** What clients connect to. */
export type Target =
  | { readonly url: string }
  | { readonly cluster: readonly string[] }
  | { readonly sentinel: { readonly name: string; readonly nodes: readonly string[] } }

/** The options of every cache. Short, so that what they bound is seen to end. */
export const TIMES = {
  commandTimeoutMs: 500,
  connectTimeoutMs: 2_000,
  /** For how long a local copy may be served after a change was acknowledged, while nothing is heard. */
  trustMs: 1_000,
  localTtlMs: 1_000,
  leaseMs: 2_000,
} as const

/** Longest time that a loader takes, in milliseconds. */
export const LOADER_MS = 8

/** How many keys a cache reads and changes. */
export const KEYS = 24

/** How many keys of a cache are asked for past its local tier, again and again, and never changed. Enough for every shard to own some. */
export const PROBES = 12

export const keyOf = (number: number): string => `key:${number}`

export const probeOf = (number: number): string => `probe:${number}`

/** What a process of the fleet is to do. */
export interface WorkerOrder {
  readonly target: Target
  readonly modes: readonly Mode[]
  /** URL of the Redis that plays the source, which no fault concerns. */
  readonly source: string
  /** Keys of the source begin with it. */
  readonly trial: string
  /** Which process of the fleet it is, from 0. It changes the keys whose number leaves this remainder. */
  readonly place: number
  readonly processes: number
  /** How many times as long as usual it pauses between calls. @default 1 */
  readonly slowness?: number
}

/** Milliseconds on a clock that all processes of the machine share. */
export const sharedNowMs = (): number => Number(process.hrtime.bigint()) / 1e6
