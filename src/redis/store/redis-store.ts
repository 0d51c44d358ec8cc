import { createHash } from 'node:crypto'
import type {
  CacheStore,
  CounterChange,
  Expiry,
  StoredEntry,
  TierSettings,
} from '../../backend/seams/cache-store.ts'
import type { ReadOutcome } from '../../backend/seams/read-outcome.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { chunks } from '../../foundation/chunks.ts'
import { type CacheError, isUnanswered } from '../../foundation/errors/cache-error.ts'
import type { BatchingPort, RedisArgument } from '../port/redis-port.ts'
import { isBytes, isBytesOrNull, isCountOfKeys, isFlag, isTtl } from '../port/reply-shape.ts'
import {
  COMPARE_AND_SET,
  EXPIRE_KEY,
  KEY_TTL,
  REMOVE_KEYS,
  TAKE_VALUE,
  WRITE_ENTRY,
  WRITE_IF_ABSENT,
} from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { ttlText } from '../scripts/script-arguments.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { keysPresent, listKeys } from './list-keys.ts'
import { Publications } from './publications.ts'
import { asCacheError, MAX_KEYS_PER_READ, ReadBatcher, readMany } from './read-batcher.ts'
import { RedisCounters } from './redis-counters.ts'
import { RedisSets } from './redis-sets.ts'
import { RedisTier } from './redis-tier.ts'
import { removeMatching } from './remove-matching.ts'
import { sendSplittable } from './send-splittable.ts'
import { assertSingleServer } from './server-mode.ts'
import { ServerTimes } from './server-times.ts'
import { sum } from './sum.ts'

/** Most keys of a batch operation that are in flight; bounds the memory, and the wait of other commands. */
const WINDOW = 1_000
/** Most keys that a scan removes with one command, which holds the server for well under a millisecond. */
const KEYS_PER_REMOVAL = 500

const removeKeys = new RedisScript(REMOVE_KEYS, isCountOfKeys)
const compareAndSet = new RedisScript(COMPARE_AND_SET, isBytes)
const expireKey = new RedisScript(EXPIRE_KEY, isFlag)
const keyTtl = new RedisScript(KEY_TTL, isTtl)
const takeValue = new RedisScript(TAKE_VALUE, isBytesOrNull)
const writeEntry = new RedisScript(WRITE_ENTRY, isFlag)
const writeIfAbsent = new RedisScript(WRITE_IF_ABSENT, isFlag)

/** The store in Redis or Valkey 6.2 and later, over any {@link BatchingPort}. */
export class RedisStore implements CacheStore {
  readonly #port: BatchingPort
  readonly #reads: ReadBatcher
  readonly #counters: RedisCounters
  readonly #sets: RedisSets
  readonly #publications: Publications = new Publications()
  readonly #times: ServerTimes

  constructor(port: BatchingPort) {
    this.#port = port
    this.#reads = new ReadBatcher(port)
    this.#times = new ServerTimes(port)
    this.#counters = new RedisCounters(port, this.#publications)
    this.#sets = new RedisSets(port, this.#publications, (storedKey) => this.exists(storedKey))
  }

  /** Connects, and sends a PING to every master. @throws CacheError also if the server is no single one, as configured */
  async open(): Promise<void> {
    await this.#port.connect()
    try {
      for (const master of await this.#port.masters()) {
        await Promise.all([
          master.send(['PING'], 'text'),
          this.#port.isCluster ? undefined : assertSingleServer(master),
        ])
      }
    } catch (error) {
      await this.#port.close()
      throw error
    }
  }

  close(): Promise<void> {
    return this.#port.close()
  }

  share(settings: TierSettings): SharedTier {
    return new RedisTier(this.#port, this.#reads, this, this.#publications, settings)
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#reads.read(key, storedKey, outcome)
  }

  /** One `MGET` for each hash slot and 256 keys. A failure of one node affects only the keys it owns. */
  async readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]> {
    if (!this.#port.isCluster && storedKeys.length <= MAX_KEYS_PER_READ)
      return readMany(this.#port, storedKeys)
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
        const replies = await readMany(this.#port, group.map(storedKeyAt))
        for (const [position, index] of group.entries()) results[index] = replies[position] ?? null
      }),
    )
    return results
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    if (!this.#publications.areWanted) {
      return this.#port.send(storedKey, setCommand(storedKey, encoded, ttlMs), 'text')
    }
    return this.#publications.publishing([storedKey], (publication) =>
      writeEntry.run(this.#port, storedKey, [encoded, ttlText(ttlMs), ...publication], 'text'),
    )
  }

  /** After a thousand entries of which none was answered, the others fail without being sent. */
  async writeMany(entries: readonly StoredEntry[]): Promise<Map<string, CacheError>> {
    const failures = new Map<string, CacheError>()
    let failure: unknown
    let isSilent = false
    for (const window of chunks(entries, WINDOW)) {
      await Promise.all(
        window.map(async ({ key, storedKey, encoded, ttlMs }) => {
          try {
            if (isSilent) throw failure
            await this.write(storedKey, encoded, ttlMs)
          } catch (error) {
            failure = error
            failures.set(key, asCacheError(error).within('setMany', key))
          }
        }),
      )
      isSilent = window.every(({ key }) => isUnanswered(failures.get(key)))
    }
    return failures
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const args = [encoded, ttlText(ttlMs), ...publication]
      return (await writeIfAbsent.run(this.#port, storedKey, args, 'text')) === 1
    })
  }

  async take(storedKey: string): Promise<Buffer | null> {
    const taken = await this.#publications.publishing([storedKey], async (publication) => {
      const bytes = await takeValue.run(this.#port, storedKey, publication, 'bytes')
      return bytes !== null && (bytes as Buffer)
    })
    return taken || null
  }

  async remove(storedKeys: readonly string[]): Promise<number> {
    const groups = sameSlotGroups(storedKeys, this.#port.isCluster, WINDOW, (storedKey) => storedKey)
    // A message for each command: of one that several publish, subscribers would take all but the first for forged.
    const removals = Array.from(groups, (group) =>
      sendSplittable(group, (keys, sinceMs) =>
        this.#publications.publishing(keys, (publication) =>
          removeKeys.runOver(this.#port, keys, publication, 'text', sinceMs),
        ),
      ),
    )
    return sum((await Promise.all(removals)).flat().map(Number))
  }

  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    const publications = this.#publications
    return removeMatching(
      this.#port,
      {
        pattern,
        sparesGenerations: !isWhole,
        keysPerCommand: KEYS_PER_REMOVAL,
        remove: async (send, storedKeys) => {
          // UNLINK is faster, and no caller needs a count without placeholders for a whole prefix.
          if (isWhole && !publications.areWanted) {
            return Number(await send(['UNLINK', ...storedKeys], 'bytes'))
          }
          return publications.publishing(storedKeys, async (publication) =>
            Number(await removeKeys.runWith(send, storedKeys, publication, 'text')),
          )
        },
      },
      options,
    )
  }

  async exists(storedKey: string): Promise<boolean> {
    return (await keysPresent.run(this.#port, storedKey, [], 'text')) === '1'
  }

  async ttlMs(storedKey: string): Promise<number | undefined> {
    const ttlMs = await keyTtl.run(this.#port, storedKey, [], 'text')
    if (ttlMs === -2) return undefined
    return ttlMs === -1 ? Number.POSITIVE_INFINITY : Number(ttlMs)
  }

  /** `TIME`. The calls of one tick about keys of one node share a command. */
  serverTimeMs(storedKey: string): Promise<number> {
    return this.#times.ask(storedKey)
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const args = [ttlText(ttlMs), ...publication]
      return (await expireKey.run(this.#port, storedKey, args, 'text')) === 1
    })
  }

  list(pattern: string, signal: AbortSignal | undefined): AsyncIterable<readonly string[]> {
    return listKeys(this.#port, pattern, signal)
  }

  /** A script, which gets the digest of the expected bytes instead of the bytes. One round trip. */
  async compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    const digest = expected === null ? '' : createHash('sha1').update(expected).digest('hex')
    const args = [digest, bytes, String(ttlMs)]
    const stored = (await compareAndSet.run(this.#port, storedKey, args, 'bytes')) as Buffer
    return stored.length === 0 ? null : stored
  }

  count(storedKey: string, change: CounterChange): Promise<number | string> {
    return this.#counters.count(storedKey, change)
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#sets.add(storedKey, members, expiry)
  }

  members(storedKey: string): Promise<string[]> {
    return this.#sets.members(storedKey)
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#sets.remove(storedKey, member)
  }
}

/** SET with its time to live in the same command. */
function setCommand(storedKey: string, encoded: string | Buffer, ttlMs: number): RedisArgument[] {
  return ttlMs === Number.POSITIVE_INFINITY
    ? ['SET', storedKey, encoded]
    : ['SET', storedKey, encoded, 'PX', String(ttlMs)]
}
