import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisNode, RedisPort, RedisReply } from '../port/redis-port.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'

/**
 * Keys that Redis looks at for one SCAN. Measured with 200,000 keys: 1,000 holds the server for well under a
 * millisecond; 10,000 gains a twelfth of the time and makes other clients wait nine times as long.
 */
const SCAN_COUNT = '1000'
/** What is done with the keys that a walk finds. */
export interface Removal {
  /** A glob over stored keys. */
  readonly pattern: string
  /** Most keys of one command. */
  readonly keysPerCommand: number
  /** Whether generations stay. */
  readonly sparesGenerations: boolean
  /** Removes keys of one slot with one command, given to `send`, and answers how many were removed. */
  remove(send: RedisNode['send'], storedKeys: readonly Buffer[]): Promise<number>
}

/** Most walks of one removal; each but the first is owed to slots that moved during the one before. */
const MAX_WALKS = 10

/**
 * Removes the keys that match a glob: SCAN and removal in batches, on every master, never KEYS and never
 * FLUSHDB. Memory is bounded by one batch; the server is held for one batch at a time. Keys that are there from
 * beginning to end are found (the guarantee of SCAN); keys written meanwhile may stay.
 *
 * A key may move from a node that is yet to be walked to one that has been. So where slots of a cluster moved
 * during a walk, it is done again, and where some are on the move, until a walk finds nothing more.
 * @returns how many keys were removed
 */
export async function removeMatching(
  port: RedisPort,
  removal: Removal,
  options: RemovalOptions,
): Promise<number> {
  let removed = 0
  for (let walks = 1; walks <= MAX_WALKS; walks++) {
    const before = port.isCluster ? await slotMap(port) : undefined
    const removedBefore = removed
    removed = await walk(port, removal, options, removed)
    if (before === undefined) break
    const hasMoved = before !== (await slotMap(port))
    const isMoving = before.includes('->-') && (walks === 1 || removed > removedBefore)
    if (!hasMoved && !isMoving) break
  }
  return removed
}

/** The slots that each master says it owns, those on the move marked with `->-` or `-<-` (`CLUSTER NODES`). */
async function slotMap(port: RedisPort): Promise<string> {
  // A user who may not ask this learns nothing of moving slots, and walks once.
  const tables = await Promise.all(
    (await port.masters()).map((master) =>
      master.send(['CLUSTER', 'NODES'], 'text').catch(nothingIfForbidden),
    ),
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

function nothingIfForbidden(error: unknown): RedisReply {
  if (isReply(error, 'NOPERM')) return ''
  throw error
}

async function walk(
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
 * No more keys are on their way at a time than one command may have: a server that finds several commands in its
 * buffer runs them all before it turns to anybody else.
 */
async function removeBatch(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  storedKeys: readonly Buffer[],
): Promise<number> {
  const { keysPerCommand } = removal
  let removed = 0
  let keysUnderWay = 0
  let underWay: Promise<number>[] = []
  for (const group of sameSlotGroups(storedKeys, port.isCluster, keysPerCommand, (key) => key)) {
    if (keysUnderWay + group.length > keysPerCommand) {
      removed += sum(await Promise.all(underWay))
      underWay = []
      keysUnderWay = 0
    }
    underWay.push(removeGroup(port, master, removal, group))
    keysUnderWay += group.length
  }
  return removed + sum(await Promise.all(underWay))
}

/** Sent to the node that was scanned; a slot that is on the move is followed to where it went, key by key. */
async function removeGroup(
  port: RedisPort,
  master: RedisNode,
  removal: Removal,
  storedKeys: readonly Buffer[],
): Promise<number> {
  try {
    return await removal.remove((command, form) => master.send(command, form), storedKeys)
  } catch (error) {
    if (!['MOVED', 'ASK', 'TRYAGAIN'].some((code) => isReply(error, code))) throw error
    const counts = await Promise.all(
      storedKeys.map((key) =>
        removal.remove((command, form) => port.send(key.toString(), command, form), [key]),
      ),
    )
    return sum(counts)
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
