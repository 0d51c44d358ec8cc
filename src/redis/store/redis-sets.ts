import type { Expiry } from '../../backend/seams/cache-store.ts'
import { chunks } from '../../foundation/chunks.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisPort } from '../port/redis-port.ts'
import { isCountOfArguments, isFlag } from '../port/reply-shape.ts'
import { ADD_TO_SET, REMOVE_FROM_SET } from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { flag, ttlText } from '../scripts/script-arguments.ts'
import type { Publications } from './publications.ts'

/** Most members of one SADD, and the COUNT of one SSCAN. */
const MEMBERS_PER_COMMAND = 1_000

const addToSet = new RedisScript(ADD_TO_SET, isCountOfArguments(4))
const removeFromSet = new RedisScript(REMOVE_FROM_SET, isFlag)

/** The sets of a {@link RedisStore}. A key with a placeholder counts as absent. */
export class RedisSets {
  readonly #port: RedisPort
  readonly #publications: Publications
  /** Whether a key holds a value, which a placeholder is not. */
  readonly #exists: (storedKey: string) => Promise<boolean>

  constructor(port: RedisPort, publications: Publications, exists: (storedKey: string) => Promise<boolean>) {
    this.#port = port
    this.#publications = publications
    this.#exists = exists
  }

  /** Adds members and returns how many were new. One round trip for each thousand. */
  async add(storedKey: string, members: readonly string[], { slide, ttlMs }: Expiry): Promise<number> {
    let added = 0
    for (const chunk of chunks(members, MEMBERS_PER_COMMAND)) {
      const expiry = [ttlText(ttlMs), flag(slide)]
      added += await this.#publications.publishing([storedKey], async (publication) =>
        Number(await addToSet.run(this.#port, storedKey, [...expiry, ...publication, ...chunk], 'text')),
      )
    }
    return added
  }

  /**
   * Lists the members by `SSCAN`: a small set arrives in one reply, and a set of a million holds the server for one
   * batch at a time. Members that are in the set from beginning to end are listed; one that is added or removed
   * meanwhile may or may not be.
   */
  members(storedKey: string): Promise<string[]> {
    return this.#unlessPlaceholder(storedKey, [], async () => {
      const members = new Set<string>()
      let cursor = '0'
      do {
        const command = ['SSCAN', storedKey, cursor, 'COUNT', String(MEMBERS_PER_COMMAND)]
        const [next, batch] = (await this.#port.send(storedKey, command, 'text')) as readonly [
          string,
          readonly string[],
        ]
        for (const member of batch) members.add(member)
        cursor = next
      } while (cursor !== '0')
      return [...members]
    })
  }

  /** Removes a member (`SREM`) and returns whether it was there. */
  remove(storedKey: string, member: string): Promise<boolean> {
    return this.#unlessPlaceholder(storedKey, false, async () => {
      if (!this.#publications.areWanted) {
        return (await this.#port.send(storedKey, ['SREM', storedKey, member], 'text')) === 1
      }
      const reply = await this.#publications.publishing([storedKey], (publication) =>
        removeFromSet.run(this.#port, storedKey, [member, ...publication], 'text'),
      )
      return reply === 1
    })
  }

  /** A placeholder is a string, so Redis answers WRONGTYPE to commands for sets; the key is then absent. */
  async #unlessPlaceholder<Result>(
    storedKey: string,
    absent: Result,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (isReply(error, 'WRONGTYPE') && !(await this.#exists(storedKey))) return absent
      throw error
    }
  }
}
