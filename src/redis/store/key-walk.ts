import { walkAborted } from '../../foundation/errors/cache-error.ts'
import { isReply } from '../port/redis-errors.ts'
import type { RedisArgument, RedisNode, RedisPort, SendCommand } from '../port/redis-port.ts'
import { sameSlotGroups } from '../slots/same-slot-groups.ts'
import { sendSplittable } from './send-splittable.ts'

/**
 * COUNT of one SCAN. Measured with 200,000 keys: 1,000 holds the server for well under a millisecond; 10,000 is faster
 * by a twelfth and makes other clients wait nine times as long.
 */
const SCAN_COUNT = '1000'
/** Most rounds of one walk. Each round after the first is needed only if slots moved during the previous one. */
const MAX_ROUNDS = 10

/**
 * The rounds of a walk through all masters.
 *
 * On a cluster, a key may move from a node that is not scanned yet to one that was. So if slots moved during a round, there
 * is another one; while slots are still moving, there are more until one finds nothing new.
 */
export class WalkRounds {
  readonly #port: RedisPort
  #begun = 0
  /** The slots at the beginning of the round; `undefined` if they cannot move. */
  #slots: string | undefined

  constructor(port: RedisPort) {
    this.#port = port
  }

  /** Begins a round, and returns the nodes to scan. */
  async begin(): Promise<readonly RedisNode[]> {
    this.#begun++
    this.#slots = this.#port.isCluster ? await ownedSlots(this.#port) : undefined
    return this.#port.masters()
  }

  /** @param hasFound whether the round has found something new */
  async mustRepeat(hasFound: boolean): Promise<boolean> {
    if (this.#slots === undefined || this.#begun === MAX_ROUNDS) return false
    if (this.#slots !== (await ownedSlots(this.#port))) return true
    return this.#slots.includes('->-') && (this.#begun === 1 || hasFound)
  }
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

/** Scans one master: the keys that match a glob, a batch for each command. @throws CacheError `CACHE_ABORTED`, … */
export async function* scan(
  master: RedisNode,
  pattern: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  let cursor = '0'
  do {
    if (signal?.aborted) throw walkAborted()
    const command = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT]
    const [next, found] = (await master.send(command, 'bytes')) as readonly [Buffer, readonly Buffer[]]
    yield found
    cursor = next.toString('latin1')
  } while (cursor !== '0')
}

/** Sends one command over keys of one slot, which it passes to `send`. */
type GroupCommand<Key, Reply> = (send: SendCommand, storedKeys: readonly Key[]) => Promise<Reply>

/** Keys of one slot, and the replies to the commands over them: one for all keys, or one for each. */
interface AnsweredGroup<Key, Reply> {
  readonly storedKeys: readonly Key[]
  readonly replies: readonly Reply[]
}

/**
 * Sends a command for each slot of some keys that were scanned at a master.
 *
 * Keeps at most `keysPerCommand` keys in flight, over all commands: a server that finds several commands in its buffer
 * runs all of them before it serves another client.
 */
export async function sendInGroups<Key extends RedisArgument, Reply>(
  port: RedisPort,
  master: RedisNode,
  storedKeys: readonly Key[],
  keysPerCommand: number,
  command: GroupCommand<Key, Reply>,
): Promise<readonly AnsweredGroup<Key, Reply>[]> {
  const answered: AnsweredGroup<Key, Reply>[] = []
  let keysInFlight = 0
  let inFlight: Promise<AnsweredGroup<Key, Reply>>[] = []
  for (const group of sameSlotGroups(storedKeys, port.isCluster, keysPerCommand, (key) => key)) {
    if (keysInFlight + group.length > keysPerCommand) {
      answered.push(...(await Promise.all(inFlight)))
      inFlight = []
      keysInFlight = 0
    }
    inFlight.push(sendGroup(port, master, group, command))
    keysInFlight += group.length
  }
  answered.push(...(await Promise.all(inFlight)))
  return answered
}

/** Sends to the scanned node, or to the owner of the slot if the keys have left that node. */
async function sendGroup<Key extends RedisArgument, Reply>(
  port: RedisPort,
  master: RedisNode,
  storedKeys: readonly Key[],
  command: GroupCommand<Key, Reply>,
): Promise<AnsweredGroup<Key, Reply>> {
  const replies = await sendSplittable(storedKeys, async (keys) => {
    try {
      return await command((...sent) => master.send(...sent), keys)
    } catch (error) {
      if (!isReply(error, 'MOVED') && !isReply(error, 'ASK')) throw error
      return command((...sent) => port.send(String(keys[0]), ...sent), keys)
    }
  })
  return { storedKeys, replies }
}
