import type { ReadOutcome, ReplyClock } from '../../backend/seams/read-outcome.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { nextTick, systemMs } from '../../foundation/time/timers.ts'
import type { RedisPort } from '../port/redis-port.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { mustSplitKeys } from './send-splittable.ts'

/** Most keys of one MGET. More would gain no throughput, and one slow reply would delay too many readers. */
export const MAX_KEYS_PER_READ = 256

/**
 * This many keys are not read by one MGET. Should a reply be lost on its way, the reply to the next TIME would stand in its
 * place: two numbers, which may be values.
 */
const LOOKS_LIKE_TIME = 2

/** A `get` that waits for its batch. */
interface BatchedRead {
  readonly key: string
  readonly storedKey: string
  readonly outcome: ReadOutcome<unknown>
  /** `undefined` if nobody awaits the outcome. */
  readonly resolve: ((result: unknown) => void) | undefined
  readonly reject: ((error: unknown) => void) | undefined
}

/**
 * Turns the `get`s of one tick into one MGET (one for each hash slot on a cluster).
 *
 * A client spends several times as long on a command (objects, promises, a place in its queue) as Redis needs to
 * answer it. So batching is what makes a busy process fast. `process.nextTick` closes the batch: it runs when all
 * promise callbacks of the current tick have run, so the `get`s that those make still join. A single `get` is not
 * delayed by this, since the client writes to its socket only in the next phase of the event loop.
 */
export class ReadBatcher {
  readonly #port: RedisPort
  #clockOf: (storedKey: string) => ReplyClock | undefined = () => undefined
  #pending: BatchedRead[] = []

  constructor(port: RedisPort) {
    this.#port = port
  }

  /** @param clockOf the clock of the server that owns a key: looked up once per command, and passed on with each key */
  timedBy(clockOf: (storedKey: string) => ReplyClock | undefined): void {
    this.#clockOf = clockOf
  }

  /** Reads the bytes under a key, and settles as `outcome` decides. */
  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#add({ key, storedKey, outcome, resolve: resolve as (result: unknown) => void, reject })
    })
  }

  /** As {@link read}, for an outcome that never throws. It saves the promise. */
  readInto(key: string, storedKey: string, outcome: ReadOutcome<void>): void {
    this.#add({ key, storedKey, outcome, resolve: undefined, reject: undefined })
  }

  #add(read: BatchedRead): void {
    if (this.#pending.push(read) === 1) nextTick(this.#flush)
  }

  readonly #flush = (): void => {
    const reads = this.#pending
    this.#pending = []
    if (reads.length <= MAX_KEYS_PER_READ && !this.#port.isCluster) {
      this.#send(reads)
      return
    }
    for (const group of sameSlotGroups(reads, this.#port.isCluster, MAX_KEYS_PER_READ, storedKeyOf))
      this.#send(group)
  }

  /** @param sinceMs as for `RedisPort.send` */
  #send(reads: readonly BatchedRead[], sinceMs?: number): void {
    if (reads.length === LOOKS_LIKE_TIME) {
      for (const read of reads) this.#send([read], sinceMs)
      return
    }
    const command = ['MGET']
    for (const { storedKey } of reads) command.push(storedKey)
    const first = command[1] as string
    const clock = this.#clockOf(first)
    const beganMs = sinceMs ?? systemMs()
    this.#port.send(first, command, 'bytes', sinceMs).then(
      (replies) => settle(reads, replies as readonly (Buffer | null)[], clock),
      (error: unknown) => this.#splitOrFail(reads, error, beganMs),
    )
  }

  /** Does not use `sendSplittable`: each read settles with its own reply, and that would cost one more promise. */
  #splitOrFail(reads: readonly BatchedRead[], error: unknown, beganMs: number): void {
    if (mustSplitKeys(error, reads.length)) for (const read of reads) this.#send([read], beganMs)
    else fail(reads, error)
  }
}

/**
 * The bytes under keys of one hash slot (`MGET`); `null` for a key without a string, an error for one that cannot be
 * read. One round trip; two while the slot moves, or if the user may not read one of the keys, within one deadline.
 */
export async function readMany(
  port: RedisPort,
  storedKeys: readonly string[],
  sinceMs?: number,
): Promise<readonly (Buffer | CacheError | null)[]> {
  const [first] = storedKeys
  if (first === undefined) return []
  if (storedKeys.length === LOOKS_LIKE_TIME) return oneByOne(port, storedKeys, sinceMs)
  const beganMs = sinceMs ?? systemMs()
  try {
    return (await port.send(first, ['MGET', ...storedKeys], 'bytes', sinceMs)) as readonly (Buffer | null)[]
  } catch (error) {
    if (!mustSplitKeys(error, storedKeys.length)) {
      const failure = asCacheError(error)
      return storedKeys.map(() => failure)
    }
    return oneByOne(port, storedKeys, beganMs)
  }
}

async function oneByOne(
  port: RedisPort,
  storedKeys: readonly string[],
  sinceMs: number | undefined,
): Promise<readonly (Buffer | CacheError | null)[]> {
  const each = await Promise.all(storedKeys.map((storedKey) => readMany(port, [storedKey], sinceMs)))
  return each.flat()
}

/** @throws the error itself if it is not a CacheError: a defect must not be reported as a failure of Redis */
export function asCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  throw error
}

function storedKeyOf(read: BatchedRead): string {
  return read.storedKey
}

function settle(
  reads: readonly BatchedRead[],
  replies: readonly (Buffer | null)[],
  clock: ReplyClock | undefined,
): void {
  for (let index = 0; index < reads.length; index++) {
    const read = reads[index] as BatchedRead
    try {
      const result = read.outcome.found(read.key, read.storedKey, replies[index] ?? null, clock)
      read.resolve?.(result)
    } catch (error) {
      read.reject?.(error)
    }
  }
}

function fail(reads: readonly BatchedRead[], cause: unknown): void {
  for (const read of reads) {
    try {
      const result = read.outcome.failed(read.key, cause)
      read.resolve?.(result)
    } catch (error) {
      read.reject?.(error)
    }
  }
}
