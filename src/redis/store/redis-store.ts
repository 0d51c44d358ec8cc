import { createHash } from 'node:crypto'
import type {
  CacheStore,
  CounterChange,
  Expiry,
  StoredEntry,
  TierSettings,
} from '../../backend/cache-store.ts'
import type { ReadOutcome } from '../../backend/read-outcome.ts'
import type { SharedTier } from '../../backend/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError, isLostReply } from '../../foundation/cache-error.ts'
import { chunks } from '../../foundation/chunks.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisArgument, RedisPort } from '../port/redis-port.ts'
import {
  ADD_TO_SET,
  COMPARE_AND_SET,
  EXISTS_KEY,
  INCREMENT_COUNTER,
  KEY_TTL,
  REMOVE_KEYS,
} from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { MAX_KEYS_PER_READ, ReadBatcher, readMany } from './read-batcher.ts'
import { RedisTier } from './redis-tier.ts'
import { removeMatching } from './remove-matching.ts'

/** Commands of one batch operation that are on their way at a time; bounds the memory and the wait of others. */
const WINDOW = 1_000
/** Most keys that a walk removes with one command, which holds the server for well under a millisecond. */
const KEYS_PER_REMOVAL = 500
/** Members that Redis looks at for one SSCAN, and most members of one SADD. */
const MEMBERS_PER_COMMAND = 1_000

const incrementCounter = new RedisScript(INCREMENT_COUNTER)
const addToSet = new RedisScript(ADD_TO_SET)
const removeKeys = new RedisScript(REMOVE_KEYS)
const compareAndSet = new RedisScript(COMPARE_AND_SET)
const existsKey = new RedisScript(EXISTS_KEY)
const keyTtl = new RedisScript(KEY_TTL)

/** The store in Redis or Valkey 6.2 and later, over any {@link RedisPort}. */
export class RedisStore implements CacheStore {
  readonly #port: RedisPort
  readonly #reads: ReadBatcher

  constructor(port: RedisPort) {
    this.#port = port
    this.#reads = new ReadBatcher(port)
  }

  /** Connects and pings. */
  async open(): Promise<void> {
    await this.#port.connect()
    try {
      for (const master of await this.#port.masters()) await master.send(['PING'], 'text')
    } catch (error) {
      await this.#port.close()
      throw error
    }
  }

  close(): Promise<void> {
    return this.#port.close()
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#reads.read(key, storedKey, outcome)
  }

  /** What one node cannot answer costs the keys of the others nothing. */
  async readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]> {
    if (!this.#port.isCluster && storedKeys.length <= MAX_KEYS_PER_READ) return this.#readGroup(storedKeys)
    const results = new Array<Buffer | CacheError | null>(storedKeys.length).fill(null)
    const storedKeyAt = (index: number) => storedKeys[index] as string
    const groups = sameSlotGroups(
      [...storedKeys.keys()],
      this.#port.isCluster,
      MAX_KEYS_PER_READ,
      storedKeyAt,
    )
    await Promise.all(
      Array.from(groups, async (group) => {
        const replies = await this.#readGroup(group.map(storedKeyAt))
        for (const [position, index] of group.entries()) results[index] = replies[position] ?? null
      }),
    )
    return results
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    return this.#port.send(storedKey, setCommand(storedKey, encoded, ttlMs), 'text')
  }

  async writeMany(entries: readonly StoredEntry[], ttlMs: number): Promise<Map<string, CacheError>> {
    const failures = new Map<string, CacheError>()
    for (const window of chunks(entries, WINDOW)) {
      await Promise.all(
        window.map(async ({ key, storedKey, encoded }) => {
          try {
            await this.write(storedKey, encoded, ttlMs)
          } catch (error) {
            failures.set(key, asCacheError(error).within('setMany', key))
          }
        }),
      )
    }
    return failures
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.removeTelling(storedKeys, ['', ''])
  }

  /** Removes keys, and publishes that in the same step. */
  async removeTelling(
    storedKeys: readonly string[],
    news: readonly [channel: string, message: string],
  ): Promise<number> {
    const groups = sameSlotGroups(storedKeys, this.#port.isCluster, WINDOW, (storedKey) => storedKey)
    const counts = await Promise.all(Array.from(groups, (group) => this.#removeGroup(group, news)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async exists(storedKey: string): Promise<boolean> {
    return (await existsKey.run(this.#port, storedKey, [], 'text')) === 1
  }

  /** One script, one round trip. */
  async compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    const digest = expected === null ? '' : createHash('sha1').update(expected).digest('hex')
    const args = [digest, bytes, String(ttlMs)]
    const there = (await compareAndSet.run(this.#port, storedKey, args, 'bytes')) as Buffer
    return there.length === 0 ? null : there
  }

  async ttlMs(storedKey: string): Promise<number | undefined> {
    const ttlMs = await keyTtl.run(this.#port, storedKey, [], 'text')
    if (ttlMs === -2) return undefined
    return ttlMs === -1 ? Number.POSITIVE_INFINITY : Number(ttlMs)
  }

  /** While their slot is on the move, keys have to be removed one by one. */
  async #removeGroup(group: readonly string[], news: readonly string[]): Promise<number> {
    const send = (storedKeys: readonly string[]) =>
      removeKeys.runWith(
        (command, form) => this.#port.send(storedKeys[0] as string, command, form),
        storedKeys,
        news,
        'text',
      )
    try {
      return Number(await send(group))
    } catch (error) {
      if (group.length === 1 || !isReply(error, 'TRYAGAIN')) throw error
      const counts = await Promise.all(group.map((storedKey) => send([storedKey])))
      return counts.reduce((sum: number, count) => sum + Number(count), 0)
    }
  }

  /** Keys of one slot: all their bytes, or the same failure for each. */
  async #readGroup(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]> {
    try {
      return await readMany(this.#port, storedKeys)
    } catch (error) {
      const failure = asCacheError(error)
      return storedKeys.map(() => failure)
    }
  }

  /** One script, one round trip. A reply that is lost leaves the outcome unknown, and is told as such. */
  async count(storedKey: string, { amount, safeOnly, slide, start, ttlMs }: CounterChange): Promise<string> {
    const args = [amount, start, ttlText(ttlMs), flag(slide), flag(safeOnly)]
    try {
      return String(await incrementCounter.run(this.#port, storedKey, args, 'text'))
    } catch (error) {
      throw isLostReply(error) ? ambiguous(error) : error
    }
  }

  removeMatching(
    pattern: string,
    options: RemovalOptions,
    isWhole: boolean,
    announce?: (storedKeys: readonly string[]) => Promise<void>,
  ): Promise<number> {
    return removeMatching(
      this.#port,
      {
        pattern,
        sparesGenerations: !isWhole,
        keysPerCommand: KEYS_PER_REMOVAL,
        remove: async (send, storedKeys) => {
          // A whole prefix is removed as fast as can be; what a pattern found is counted without placeholders.
          const removed = Number(
            isWhole
              ? await send(['UNLINK', ...storedKeys], 'bytes')
              : await removeKeys.runWith(send, storedKeys, ['', ''], 'text'),
          )
          await announce?.(storedKeys.map(String))
          return removed
        },
      },
      options,
    )
  }

  share(settings: TierSettings): SharedTier {
    return new RedisTier(this.#port, this.#reads, this, settings)
  }

  async addMembers(storedKey: string, members: readonly string[], { slide, ttlMs }: Expiry): Promise<number> {
    let added = 0
    for (const chunk of chunks(members, MEMBERS_PER_COMMAND)) {
      added += Number(
        await addToSet.run(this.#port, storedKey, [ttlText(ttlMs), flag(slide), ...chunk], 'text'),
      )
    }
    return added
  }

  /**
   * SSCAN throughout: a small set comes whole in one reply, a set of a million holds the server for a batch at
   * a time. Members that are there from beginning to end are found; what comes or goes meanwhile may be either.
   */
  members(storedKey: string): Promise<string[]> {
    return this.#ofSet(storedKey, [], () => this.#scanMembers(storedKey))
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#ofSet(storedKey, false, async () => {
      return (await this.#port.send(storedKey, ['SREM', storedKey, member], 'text')) === 1
    })
  }

  /** Where the key only holds the place of a value that is being loaded, there is no set. */
  async #ofSet<Result>(storedKey: string, none: Result, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (isReply(error, 'WRONGTYPE') && !(await this.exists(storedKey))) return none
      throw error
    }
  }

  async #scanMembers(storedKey: string): Promise<string[]> {
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
  }
}

/** SET with its time to live in the same command. */
function setCommand(storedKey: string, encoded: string | Buffer, ttlMs: number): RedisArgument[] {
  return ttlMs === Number.POSITIVE_INFINITY
    ? ['SET', storedKey, encoded]
    : ['SET', storedKey, encoded, 'PX', String(ttlMs)]
}

function ttlText(ttlMs: number): string {
  return ttlMs === Number.POSITIVE_INFINITY ? '' : String(ttlMs)
}

function flag(value: boolean): string {
  return value ? '1' : '0'
}

/** @throws the error itself where it is none of ours */
function asCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  throw error
}

function ambiguous(cause: CacheError): CacheError {
  return new CacheError(
    'CACHE_AMBIGUOUS',
    'The reply was lost: the counter may or may not have been changed',
    { cause },
  )
}
