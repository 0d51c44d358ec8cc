import { isUtf8 } from 'node:buffer'
import { isReserved } from '../../foundation/reserved-keys.ts'
import type { RedisNode, RedisPort } from '../port/redis-port.ts'
import { isPresence } from '../port/reply-shape.ts'
import { KEYS_PRESENT } from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { scan, sendInGroups, WalkRounds } from './key-walk.ts'

/** Tells which of some keys exist; a placeholder counts as absent. */
export const keysPresent: RedisScript = new RedisScript(KEYS_PRESENT, isPresence)

/** Most keys of one command, which holds the server for well under a millisecond. */
const KEYS_PER_COMMAND = 500

/**
 * Lists the keys that match a glob, each once, by `SCAN` on every master. Placeholders and the library's own keys are left
 * out, and so are keys that are not UTF-8.
 *
 * Keys that exist from beginning to end are found (the guarantee of SCAN, and of {@link WalkRounds}). A scan may meet a key
 * twice, so those that were listed are remembered. A master that fails does not keep the others from being scanned.
 * @throws CacheError the failure of a master, when all others have been scanned
 */
export async function* listKeys(
  port: RedisPort,
  pattern: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly string[], void, undefined> {
  const listed = new Set<string>()
  const rounds = new WalkRounds(port)
  let listedBefore: number
  do {
    listedBefore = listed.size
    const failures: unknown[] = []
    for (const master of await rounds.begin()) {
      try {
        for await (const found of scan(master, pattern, signal)) {
          const met = new Set(found.filter(isListable).map(String))
          const unlisted = [...met].filter((storedKey) => !listed.has(storedKey))
          const present = await presentOf(port, master, unlisted)
          for (const storedKey of present) listed.add(storedKey)
          yield present
        }
      } catch (error) {
        if (signal?.aborted) throw error
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  } while (await rounds.mustRepeat(listed.size > listedBefore))
}

function isListable(storedKey: Buffer): boolean {
  return !isReserved(storedKey) && isUtf8(storedKey)
}

/** Those that hold something other than a placeholder. */
async function presentOf(
  port: RedisPort,
  master: RedisNode,
  storedKeys: readonly string[],
): Promise<readonly string[]> {
  const groups = await sendInGroups(port, master, storedKeys, KEYS_PER_COMMAND, async (send, keys) =>
    String(await keysPresent.runWith(send, keys, [], 'text')),
  )
  return groups.flatMap(({ replies, storedKeys: asked }) => {
    const presence = replies.join('')
    return asked.filter((_, index) => presence[index] === '1')
  })
}
