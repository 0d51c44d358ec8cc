import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import type { RedisNode, RedisPort, SendCommand } from '../port/redis-port.ts'
import { scan, sendInGroups, WalkRounds } from './key-walk.ts'
import { sum } from './sum.ts'

/** Which keys {@link removeMatching} finds, and how it removes them. */
export interface Removal {
  /** A glob over stored keys. */
  readonly pattern: string
  /** Most keys of one command. */
  readonly keysPerCommand: number
  /** Whether the library's own keys (generations) stay. */
  readonly sparesGenerations: boolean
  /** Removes keys of one slot by one command, which it passes to `send`; returns how many were removed. */
  remove(send: SendCommand, storedKeys: readonly Buffer[]): Promise<number>
}

/**
 * Removes the keys that match a glob, by `SCAN` and in batches, on every master; never by `KEYS` or `FLUSHDB`.
 *
 * Memory is bounded by one batch, and the server is held for one batch at a time. Keys that exist from beginning to end
 * are found (the guarantee of SCAN, and of {@link WalkRounds}); keys that are written meanwhile may stay. A master that
 * fails does not keep the others from being scanned.
 * @returns how many keys were removed
 * @throws CacheError the failure of a master, when all others have been scanned
 */
export async function removeMatching(
  port: RedisPort,
  removal: Removal,
  options: RemovalOptions,
): Promise<number> {
  const rounds = new WalkRounds(port)
  let removed = 0
  let removedBefore: number
  do {
    removedBefore = removed
    removed = await removeOnAll(await rounds.begin(), port, removal, options, removed)
  } while (await rounds.mustRepeat(removed > removedBefore))
  return removed
}

async function removeOnAll(
  masters: readonly RedisNode[],
  port: RedisPort,
  removal: Removal,
  options: RemovalOptions,
  removedBefore: number,
): Promise<number> {
  let removed = removedBefore
  const failures: unknown[] = []
  for (const master of masters) {
    try {
      for await (const found of scan(master, removal.pattern, options.signal)) {
        const storedKeys = removal.sparesGenerations ? found.filter((key) => !isReserved(key)) : found
        if (storedKeys.length === 0) continue
        removed += await removeBatch(port, master, removal, storedKeys)
        options.onProgress?.(removed)
      }
    } catch (error) {
      if (options.signal?.aborted) throw error
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return removed
}

async function removeBatch(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  storedKeys: readonly Buffer[],
): Promise<number> {
  const remove: Removal['remove'] = (send, keys) => removal.remove(send, keys)
  const groups = await sendInGroups(port, master, storedKeys, removal.keysPerCommand, remove)
  return sum(groups.flatMap(({ replies }) => replies))
}
