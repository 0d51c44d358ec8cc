import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createClient } from '@redis/client'
import { type CreateCacheOptions, createCache, type Duration, type EntryOptions } from 'cachewright'
import { forkAnswering } from './child-calls.ts'

/** What a participant works with. */
export interface ParticipantOptions {
  readonly redis: CreateCacheOptions['redis']
  /** URL of the Redis that plays the source. */
  readonly source?: string
  readonly cache: Omit<CreateCacheOptions, 'redis'>
}

/** One key that is raced for, and how. Times in milliseconds. */
export interface Race {
  readonly key: string
  /** The namespace that it lies in. */
  readonly namespace?: string | undefined
  readonly options?: EntryOptions | undefined
  /** Tags that the loader adds when it has its value. */
  readonly lateTags?: readonly string[] | undefined
  /** Whether its loader reads another entry, which has the options, and inherits from it. */
  readonly hasPart?: boolean | undefined
  /** How long it waits before it begins. */
  readonly afterMs?: number
  /** How long the loader takes before it reads the source, and after. */
  readonly beforeMs?: number
  readonly loaderMs?: number
  /** How long the loader then blocks the event loop. */
  readonly blockMs?: number
  /** The message that the loader fails with. */
  readonly fails?: string
  /** A channel of the source to tell when the loader has read it. */
  readonly announce?: string
  /** Whether the plain cache-aside does the same at the same time. */
  readonly withPlain?: boolean | undefined
  /** Whether local hits may lag behind a change that another process has made: on a cluster, and on the bus. */
  readonly mayLag?: boolean | undefined
  /** Whether most callers reserve the key: by slots that keep nobody waiting, or by those that wait. */
  readonly slots?: 'any' | 'waiting' | undefined
}

/** A change of the source, and how the cache is told of it. */
export interface Change extends Race {
  /** How long it holds the key or the tag. @default far longer than any round takes */
  readonly hold?: Duration | undefined
  /** How long a transaction takes on each side of its commit, at most; without it, the source changes at once. */
  readonly commitMs?: number | undefined
  readonly how: string
  readonly version: number
  /** Whether the process asks as soon as that is acknowledged. */
  readonly asks: boolean
  readonly storedKey: string
  readonly changedTags: readonly string[]
  readonly pattern: string
}

/** Many callers at once. */
interface Stampede {
  readonly key: string
  readonly callers: number
  /** When, by `Date.now()`. */
  readonly atMs: number
  readonly loaderMs: number
  readonly value?: unknown
  readonly fails?: string
}

/** What they came to: `values` holds each distinct outcome once, as text. */
interface StampedeOutcome {
  readonly loads: number
  readonly tookMs: number
  readonly values: readonly string[]
}

/** Keys whose source is down until a moment, by `Date.now()`. */
interface Outage {
  readonly keys: readonly string[]
  readonly untilMs: number
  readonly pauseMs: number
}

/** What came of it: how often each answer was given, and when the loader of a key was called. */
interface OutageOutcome {
  readonly answers: ReadonlyMap<unknown, number>
  readonly tries: readonly (readonly [key: string, atMs: number])[]
}

/** What has happened to a participant so far. */
interface Metrics {
  readonly loads: number
  /** Fills that were refused since the lease or the slot had been lost. */
  readonly defeated: number
  /** Slots that were filled. */
  readonly filled: number
  /** How often an older value was stored when a transaction had just been committed. */
  readonly storedOld: number
  readonly failures: readonly string[]
}

type Version = number | undefined

/** A process that takes part in a race: `participant.mjs` tells what each method does. */
export interface Participant {
  load(race: Race): Promise<Version>
  change(change: Change): Promise<Version>
  look(race: Race): Promise<readonly Version[]>
  settle(race: Race): Promise<readonly Version[]>
  askRedis(race: Race): Promise<Version>
  plainValue(race: Race): Promise<Version>
  stampede(stampede: Stampede): Promise<StampedeOutcome>
  endure(outage: Outage): Promise<OutageOutcome>
  disturb(noise: { keys: string[]; tags: string[]; options: EntryOptions }): Promise<void>
  rest(): Promise<void>
  counts(): Promise<Metrics>
  end(): Promise<void>
}

/** A participant in a process of its own. */
export interface ChildParticipant extends Participant {
  readonly process: ChildProcess
}

/** A participant in this process. */
export async function startHere(options: ParticipantOptions): Promise<Participant> {
  // JavaScript, since a child process runs it as it stands.
  const source = new URL('children/participant.mjs', import.meta.url).href
  const { createParticipant } = (await import(source)) as {
    createParticipant(library: object, options: ParticipantOptions): Promise<Participant>
  }
  return createParticipant({ createCache, createClient }, options)
}

/** Participants in processes of their own, which end with this one. */
export async function startChildren(count: number, options: ParticipantOptions): Promise<ChildParticipant[]> {
  return Promise.all(Array.from({ length: count }, () => startChild(options)))
}

async function startChild(options: ParticipantOptions): Promise<ChildParticipant> {
  const child = forkAnswering(fileURLToPath(new URL('children/race-child.mjs', import.meta.url)))
  const call = (method: string) => (argument?: unknown) => child.call(method, argument)
  await call('begin')(options)
  return {
    process: child.process,
    load: call('load'),
    change: call('change'),
    look: call('look'),
    settle: call('settle'),
    askRedis: call('askRedis'),
    plainValue: call('plainValue'),
    stampede: call('stampede'),
    endure: call('endure'),
    disturb: call('disturb'),
    rest: call('rest'),
    counts: call('counts'),
    end: call('end'),
  }
}
