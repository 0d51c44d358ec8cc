import type { CounterChange } from '../../backend/seams/cache-store.ts'
import { CacheError, isLostReply } from '../../foundation/errors/cache-error.ts'
import { nextTick, systemMs } from '../../foundation/time/timers.ts'
import { fromErrorReply } from '../port/redis-errors.ts'
import type { BatchingPort, RedisReply } from '../port/redis-port.ts'
import { isInteger, isListOfKeys } from '../port/reply-shape.ts'
import { INCREMENT_COUNTERS } from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { flag, ttlText } from '../scripts/script-arguments.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import type { Publications } from './publications.ts'
import { mustSplitKeys } from './send-splittable.ts'

/** Most counters of one script, which holds the server for a fraction of a millisecond. */
const MAX_COUNTERS_PER_SCRIPT = 256

const incrementCounters = new RedisScript(
  INCREMENT_COUNTERS,
  isListOfKeys((reply) => isCount(reply) || isRefusal(reply)),
)

/** A change of a counter that waits for its batch. */
interface BatchedChange {
  readonly storedKey: string
  readonly change: CounterChange
  readonly resolve: (count: number | string) => void
  readonly reject: (error: unknown) => void
}

/**
 * The counters of a {@link RedisStore}: decimal text, changed by a script.
 *
 * The changes of one tick share a script (one for each hash slot on a cluster), as the reads of one tick share an MGET.
 * They are sent before any other command, so commands over one key keep the order of the calls.
 */
export class RedisCounters {
  readonly #port: BatchingPort
  readonly #publications: Publications
  #pending: BatchedChange[] = []

  constructor(port: BatchingPort, publications: Publications) {
    this.#port = port
    this.#publications = publications
  }

  /**
   * Adds to a counter, and returns the new count. One round trip.
   * @throws CacheError `CACHE_AMBIGUOUS` if the reply was lost: the counter may or may not have been changed
   */
  count(storedKey: string, change: CounterChange): Promise<number | string> {
    return new Promise((resolve, reject) => {
      if (this.#pending.push({ storedKey, change, resolve, reject }) > 1) return
      this.#port.beforeNext(this.#flush)
      nextTick(this.#flush)
    })
  }

  readonly #flush = (): void => {
    const changes = this.#pending
    if (changes.length === 0) return
    this.#pending = []
    for (const group of sameSlotGroups(changes, this.#port.isCluster, MAX_COUNTERS_PER_SCRIPT, storedKeyOf))
      void this.#send(group)
  }

  /** @param sinceMs as for `RedisPort.send` */
  async #send(changes: readonly BatchedChange[], sinceMs?: number): Promise<void> {
    const beganMs = sinceMs ?? systemMs()
    const storedKeys = changes.map(storedKeyOf)
    const changedKeys = this.#publications.areWanted ? [...new Set(storedKeys)] : storedKeys
    const words = wordsOf(changes)
    let replies: readonly RedisReply[] = []
    try {
      await this.#publications.publishing(changedKeys, async (publication) => {
        const args = [...publication, ...words]
        const reply = await incrementCounters.runOver(this.#port, storedKeys, args, 'text', sinceMs)
        replies = (reply as readonly RedisReply[]).slice(1)
        return replies.some(isCount)
      })
      for (const [index, { resolve, reject }] of changes.entries()) {
        const reply = replies[index] as number | string
        if (isCount(reply)) resolve(reply)
        else reject(fromErrorReply(reply as string))
      }
    } catch (error) {
      if (mustSplitKeys(error, changes.length))
        for (const change of changes) void this.#send([change], beganMs)
      else for (const { reject } of changes) reject(isLostReply(error) ? ambiguous(error) : error)
    }
  }
}

/** What the script is told of the changes: a run of six words for those that follow one another and are alike. */
function wordsOf(changes: readonly BatchedChange[]): readonly string[] {
  const words: string[] = []
  let last: CounterChange | undefined
  let length = 0
  const endRun = () => {
    if (last === undefined) return
    const { amount, safeOnly, slide, start, ttlMs } = last
    words.push(String(length), amount, start, ttlText(ttlMs), flag(slide), flag(safeOnly))
  }
  for (const { change } of changes) {
    if (last !== undefined && isAlike(last, change)) {
      length++
      continue
    }
    endRun()
    last = change
    length = 1
  }
  endRun()
  return words
}

function isAlike(one: CounterChange, other: CounterChange): boolean {
  return (
    one.amount === other.amount &&
    one.ttlMs === other.ttlMs &&
    one.start === other.start &&
    one.slide === other.slide &&
    one.safeOnly === other.safeOnly
  )
}

/** Whether a counter was changed. */
function isCount(reply: RedisReply): reply is number | string {
  return Number.isSafeInteger(reply) || isInteger(reply)
}

/** Whether it was not, for a reason that begins with a code: `WRONGTYPE Operation against …`. */
function isRefusal(reply: RedisReply): boolean {
  return typeof reply === 'string' && /^[A-Z]+ /.test(reply)
}

function storedKeyOf({ storedKey }: BatchedChange): string {
  return storedKey
}

function ambiguous(cause: CacheError): CacheError {
  return new CacheError(
    'CACHE_AMBIGUOUS',
    'The reply was lost: the counter may or may not have been changed',
    { cause },
  )
}
