import type { CounterChange } from '../../backend/seams/cache-store.ts'
import { CacheError, isLostReply } from '../../foundation/errors/cache-error.ts'
import type { RedisPort } from '../port/redis-port.ts'
import { isInteger } from '../port/reply-shape.ts'
import { INCREMENT_COUNTER } from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { flag, ttlText } from '../scripts/script-arguments.ts'
import type { Publications } from './publications.ts'

const incrementCounter = new RedisScript(INCREMENT_COUNTER, isInteger)

/** The counters of a {@link RedisStore}: decimal text, changed by a script over one key. */
export class RedisCounters {
  readonly #port: RedisPort
  readonly #publications: Publications

  constructor(port: RedisPort, publications: Publications) {
    this.#port = port
    this.#publications = publications
  }

  /**
   * Adds to a counter, and returns the new count as decimal text. One round trip.
   * @throws CacheError `CACHE_AMBIGUOUS` if the reply was lost: the counter may or may not have been changed
   */
  async count(storedKey: string, { amount, safeOnly, slide, start, ttlMs }: CounterChange): Promise<string> {
    const args = [amount, start, ttlText(ttlMs), flag(slide), flag(safeOnly)]
    try {
      return await this.#publications.publishing([storedKey], async (publication) =>
        String(await incrementCounter.run(this.#port, storedKey, [...args, ...publication], 'text')),
      )
    } catch (error) {
      throw isLostReply(error) ? ambiguous(error) : error
    }
  }
}

function ambiguous(cause: CacheError): CacheError {
  return new CacheError(
    'CACHE_AMBIGUOUS',
    'The reply was lost: the counter may or may not have been changed',
    { cause },
  )
}
