import type { ReadOutcome } from '../../backend/read-outcome.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisPort } from '../port/redis-port.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { sendSplittable } from './send-splittable.ts'

/** Most keys of one MGET: past this the reply gains nothing more, and a slow one delays too many readers. */
export const MAX_KEYS_PER_READ = 256

/** A `get` that waits for its batch. */
interface BatchedRead {
  readonly key: string
  readonly storedKey: string
  readonly outcome: ReadOutcome<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns the `get`s of one tick into one MGET (one a hash slot on a cluster).
 *
 * A client's cost per command (objects, promises, a slot in its queue) is several times what Redis needs to
 * answer it, so this is where the speed of a busy process comes from. The batch is closed by
 * `process.nextTick`, which runs once all promise callbacks of the current tick have had their turn: whatever
 * they ask for still joins. A lone `get` waits for nothing that it would not have waited for anyway, since the
 * client writes in the next phase of the event loop.
 */
export class ReadBatcher {
  readonly #port: RedisPort
  #pending: BatchedRead[] = []

  constructor(port: RedisPort) {
    this.#port = port
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const waiting = this.#pending.push({
        key,
        storedKey,
        outcome,
        resolve: resolve as (result: unknown) => void,
        reject,
      })
      if (waiting === 1) process.nextTick(this.#flush)
    })
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

  #send(reads: readonly BatchedRead[]): void {
    const command = ['MGET']
    for (const { storedKey } of reads) command.push(storedKey)
    this.#port.send(command[1] as string, command, 'bytes').then(
      (replies) => settle(reads, replies as readonly (Buffer | null)[]),
      (error: unknown) => this.#sendAgainOrFail(reads, error),
    )
  }

  /** While their slot is on the move, keys have to be asked for one by one. */
  #sendAgainOrFail(reads: readonly BatchedRead[], error: unknown): void {
    if (reads.length > 1 && isReply(error, 'TRYAGAIN')) for (const read of reads) this.#send([read])
    else fail(reads, error)
  }
}

/**
 * The bytes under keys of one hash slot, `null` where there is no string. One round trip; while the slot is
 * being moved, two.
 */
export async function readMany(
  port: RedisPort,
  storedKeys: readonly string[],
): Promise<readonly (Buffer | null)[]> {
  const replies = await sendSplittable(port, 'MGET', storedKeys, 'bytes')
  return (replies.length === 1 ? replies[0] : replies.flat()) as readonly (Buffer | null)[]
}

function storedKeyOf(read: BatchedRead): string {
  return read.storedKey
}

function settle(reads: readonly BatchedRead[], replies: readonly (Buffer | null)[]): void {
  for (let index = 0; index < reads.length; index++) {
    const read = reads[index] as BatchedRead
    try {
      read.resolve(read.outcome.found(read.key, read.storedKey, replies[index] ?? null))
    } catch (error) {
      read.reject(error)
    }
  }
}

function fail(reads: readonly BatchedRead[], cause: unknown): void {
  for (const read of reads) {
    try {
      read.resolve(read.outcome.failed(read.key, cause))
    } catch (error) {
      read.reject(error)
    }
  }
}
