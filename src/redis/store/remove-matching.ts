import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisNode, RedisPort } from '../port/redis-port.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { sendSplittable } from './send-splittable.ts'
import { sum } from './sum.ts'

/**
 * COUNT of one SCAN. Measured with 200,000 keys: 1,000 holds the server for well under a millisecond; 10,000 is faster
 * by a twelfth and makes other clients wait nine times as long.
 */
const SCAN_COUNT = '1000'
/** Most scans of one removal. Each scan after the first is needed only if slots moved during the previous one. */
const MAX_SCANS = 10

/** Which keys {@link removeMatching} finds, and how it removes them. */
export interface Removal {
  /** A glob over stored keys. */
  readonly pattern: string
  /** Most keys of one command. */
  readonly keysPerCommand: number
  /** Whether the library's own keys (generations) stay. */
  readonly sparesGenerations: boolean
  /** Removes keys of one slot by one command, which it passes to `send`; returns how many were removed. */
  remove(send: RedisNode['send'], storedKeys: readonly Buffer[]): Promise<number>
}

/**
 * Removes the keys that match a glob, by `SCAN` and in batches, on every master; never by `KEYS` or `FLUSHDB`.
 *
 * Memory is bounded by one batch, and the server is held for one batch at a time. Keys that exist from beginning to end
 * are found (the guarantee of SCAN); keys that are written meanwhile may stay.
 *
 * On a cluster, a key may move from a node that is not scanned yet to one that was. So if slots moved during a scan,
 * the scan is repeated; while slots are still moving, it is repeated until it removes nothing more. A master that fails
 * does not keep the others from being scanned.
 * @returns how many keys were removed
 * @throws CacheError the failure of a master, when all others have been scanned
 */
export async function removeMatching(
  port: RedisPort,
  removal: Removal,
  options: RemovalOptions,
): Promise<number> {
  let removed = 0
  for (let scans = 1; scans <= MAX_SCANS; scans++) {
    const before = port.isCluster ? await ownedSlots(port) : undefined
    const removedBefore = removed
    removed = await scanAll(port, removal, options, removed)
    if (before === undefined) break
    const haveMoved = before !== (await ownedSlots(port))
    const areMoving = before.includes('->-') && (scans === 1 || removed > removedBefore)
    if (!haveMoved && !areMoving) break
  }
  return removed
}

/**
 * The slots of each master by its own account; `->-` and `-<-` mark those that are moving (`CLUSTER NODES`). Those of a
 * master that does not tell are left out: of one that fails, the scan reports the failure; a user without the permission
 * does not learn of moving slots, and scans once.
 */
async function ownedSlots(port: RedisPort): Promise<string> {
  const tables = await Promise.all(
    (await port.masters()).map((master) => master.send(['CLUSTER', 'NODES'], 'text').catch(() => '')),
  )
  return tables
    .map((table) => {
      const own = String(table)
        .split('\n')
        .find((line) => line.includes('myself'))
      return own?.split(' ').slice(8).join(' ')
    })
    .sort()
    .join('\n')
}

async function scanAll(
  port: RedisPort,
  removal: Removal,
  options: RemovalOptions,
  removedBefore: number,
): Promise<number> {
  let removed = removedBefore
  const failures: unknown[] = []
  const progress = (count: number) => {
    removed += count
    options.onProgress?.(removed)
  }
  for (const master of await port.masters()) {
    try {
      await scan(port, master, removal, options.signal, progress)
    } catch (error) {
      if (options.signal?.aborted) throw error
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return removed
}

/** Scans one master. */
async function scan(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  signal: AbortSignal | undefined,
  progress: (removed: number) => void,
): Promise<void> {
  let cursor = '0'
  do {
    if (signal?.aborted) throw new CacheError('CACHE_ABORTED', 'The removal was aborted by its signal')
    const command = ['SCAN', cursor, 'MATCH', removal.pattern, 'COUNT', SCAN_COUNT]
    const [next, found] = (await master.send(command, 'bytes')) as readonly [Buffer, readonly Buffer[]]
    const keys = removal.sparesGenerations ? found.filter((key) => !isReserved(key)) : found
    if (keys.length > 0) progress(await removeBatch(port, master, removal, keys))
    cursor = next.toString('latin1')
  } while (cursor !== '0')
}

/**
 * Keeps at most `keysPerCommand` keys in flight, over all commands: a server that finds several commands in its buffer
 * runs all of them before it serves another client.
 */
async function removeBatch(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  storedKeys: readonly Buffer[],
): Promise<number> {
  const { keysPerCommand } = removal
  let removed = 0
  let keysInFlight = 0
  let inFlight: Promise<number>[] = []
  for (const group of sameSlotGroups(storedKeys, port.isCluster, keysPerCommand, (key) => key)) {
    if (keysInFlight + group.length > keysPerCommand) {
      removed += sum(await Promise.all(inFlight))
      inFlight = []
      keysInFlight = 0
    }
    inFlight.push(removeGroup(port, master, removal, group))
    keysInFlight += group.length
  }
  return removed + sum(await Promise.all(inFlight))
}

/** Removes keys of one slot at the scanned node, or at the owner of the slot if the keys have left that node. */
async function removeGroup(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  storedKeys: readonly Buffer[],
): Promise<number> {
  const counts = await sendSplittable(storedKeys, async (keys) => {
    try {
      return await removal.remove((...command) => master.send(...command), keys)
    } catch (error) {
      if (!isReply(error, 'MOVED') && !isReply(error, 'ASK')) throw error
      return removal.remove((...command) => port.send(String(keys[0]), ...command), keys)
    }
  })
  return sum(counts)
}
