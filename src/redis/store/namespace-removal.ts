import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { escapeGlob } from '../../foundation/glob.ts'
import type { RedisNode, RedisPort, RedisReply } from '../port/redis-port.ts'
import { RECLAIM_KEYS } from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { flag, latin1 } from '../scripts/script-arguments.ts'
import { type Removal, removeMatching } from './remove-matching.ts'

const reclaimKeys = new RedisScript(RECLAIM_KEYS, isReclaimed)

const GENERATION_BYTES = 16
/** Most keys of one script, which holds the server for about a millisecond. */
const KEYS_PER_RECLAIM = 200
/** The most generations that one reclaim looks up. Entries that are bound to others stay until they expire. */
const MOST_GENERATIONS = 1_000

type ReadCurrent = () => Promise<ReadonlySet<string | undefined>>

/** A namespace in Redis: what lies under its prefix, and the key of its generation. */
export interface RedisNamespace {
  readonly port: RedisPort
  readonly prefix: string
  /** Without the suffix of a copy. */
  readonly generationKey: string
}

/**
 * Removes what lies in a namespace and is bound to none of its generations. It cannot be told when such a key was
 * written, so this is done before a `clear()` resolves.
 * @param announce called with each batch of keys of which some were removed
 */
export function removeUnbound(
  namespace: RedisNamespace,
  announce: (storedKeys: readonly Buffer[]) => Promise<void>,
): Promise<number> {
  return walk(namespace, {}, async (send, storedKeys) => {
    const { removed } = await reclaim(send, storedKeys, namespace.generationKey, true)
    if (removed > 0) await announce(storedKeys)
    return removed
  })
}

/**
 * Removes the entries of a namespace that are bound to a replaced generation.
 * @param readCurrent reads the current generations: those of all copies
 */
export function removeReplaced(
  namespace: RedisNamespace,
  readCurrent: ReadCurrent,
  signal: AbortSignal,
): Promise<number> {
  const generations = new ReplacedGenerations(readCurrent)
  return walk(namespace, { signal }, (send, storedKeys) =>
    generations.removeBy((replaced) => reclaim(send, storedKeys, namespace.generationKey, false, replaced)),
  )
}

/** Walks through the keys under the prefix, generations left out, and hands them in batches to `remove`. */
function walk(
  { port, prefix }: RedisNamespace,
  options: RemovalOptions,
  remove: Removal['remove'],
): Promise<number> {
  const pattern = `${escapeGlob(prefix)}*`
  return removeMatching(
    port,
    { pattern, sparesGenerations: true, keysPerCommand: KEYS_PER_RECLAIM, remove },
    options,
  )
}

/** What one step of a removal has done. */
export interface Reclaimed {
  readonly removed: number
  /** The generations that entries which stay are bound to. */
  readonly stays: readonly string[]
}

async function reclaim(
  send: RedisNode['send'],
  storedKeys: readonly Buffer[],
  generationKey: string,
  isUnbound: boolean,
  replaced: readonly string[] = [],
): Promise<Reclaimed> {
  const args = [generationKey, flag(isUnbound), ...replaced.map(latin1)]
  const reply = (await reclaimKeys.runWith(send, storedKeys, args, 'bytes')) as Buffer
  const stays: string[] = []
  for (let at = 2; at < reply.length; at += GENERATION_BYTES) {
    stays.push(reply.toString('latin1', at, at + GENERATION_BYTES))
  }
  return { removed: reply.readUInt16BE(0), stays }
}

/** A count in two bytes, then whole generations. */
function isReclaimed(reply: RedisReply): boolean {
  return Buffer.isBuffer(reply) && reply.length % GENERATION_BYTES === 2
}

/**
 * The generations of a namespace that were replaced, learned from the entries that are bound to them.
 *
 * A generation is never used twice (G1). So one that an entry is bound to, and that is not a current one when those are
 * read *afterwards*, has been replaced. To compare with a generation that was read before would be wrong: the entry may
 * be bound to a newer one.
 */
export class ReplacedGenerations {
  readonly #readCurrent: ReadCurrent
  readonly #replaced = new Set<string>()
  /** Those that were the current one when it was read. */
  readonly #met = new Set<string>()

  constructor(readCurrent: ReadCurrent) {
    this.#readCurrent = readCurrent
  }

  /** Takes a step with the replaced generations, and takes it again when it meets others that were replaced. */
  async removeBy(step: (replaced: readonly string[]) => Promise<Reclaimed>): Promise<number> {
    let removed = 0
    for (;;) {
      const reclaimed = await step([...this.#replaced])
      removed += reclaimed.removed
      const stays = reclaimed.stays.filter((generation) => !this.#met.has(generation))
      await this.#lookUp(stays)
      if (!stays.some((generation) => this.#replaced.has(generation))) return removed
    }
  }

  async #lookUp(generations: readonly string[]): Promise<void> {
    const unknown = generations.filter((generation) => !this.#replaced.has(generation))
    if (unknown.length === 0 || this.#replaced.size + unknown.length > MOST_GENERATIONS) return
    const current = await this.#readCurrent()
    for (const generation of unknown) (current.has(generation) ? this.#met : this.#replaced).add(generation)
  }
}
