import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisNode, RedisPort, RedisReply } from '../port/redis-port.ts'
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
 * the scan is repeated; while slots are still moving, it is repeated until it removes nothing more.
 * @returns how many keys were removed
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

/** The slots of each master by its own account; `->-` and `-<-` mark those that are moving (`CLUSTER NODES`). */
async function ownedSlots(port: RedisPort): Promise<string> {
  const tables = await Promise.all(
    (await port.masters()).map((master) => master.send(['CLUSTER', 'NODES'], 'text').catch(emptyIfForbidden)),
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

/** A user without the permission does not learn of moving slots, and scans once. */
function emptyIfForbidden(error: unknown): RedisReply {
  if (isReply(error, 'NOPERM')) return ''
  throw error
}

async function scanAll(
  port: RedisPort,
  removal: Removal,
  { onProgress, signal }: RemovalOptions,
  removedBefore: number,
): Promise<number> {
  let removed = removedBefore
  for (const master of await port.masters()) {
    let cursor = '0'
    do {
      if (signal?.aborted) throw new CacheError('CACHE_ABORTED', 'The removal was aborted by its signal')
      const command = ['SCAN', cursor, 'MATCH', removal.pattern, 'COUNT', SCAN_COUNT]
      const [next, found] = (await master.send(command, 'bytes')) as readonly [Buffer, readonly Buffer[]]
      const keys = removal.sparesGenerations ? found.filter((key) => !isReserved(key)) : found
      if (keys.length > 0) {
        removed += await removeBatch(port, master, removal, keys)
        onProgress?.(removed)
      }
      cursor = next.toString('latin1')
    } while (cursor !== '0')
  }
  return removed
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
