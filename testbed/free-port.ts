import { once } from 'node:events'
import { createServer } from 'node:net'

const FIRST_PORT = 10_000
const PORT_COUNT = 10_000
/** A cluster node talks to its peers on its own port plus this. */
const BUS_OFFSET = 10_000

// A port once given stays its owner's while this process lives: a server killed by a test comes back to it.
const given = new Set<number>()

/** What {@link freePort} looks for. */
export interface FreePortOptions {
  /** Whether the port of the cluster bus (10 000 above) must be free too. @default false */
  readonly withBus?: boolean
}

/**
 * A port of 127.0.0.1 that nobody listens on, between 10 000 and 19 999.
 *
 * The range lies below the ephemeral ports of Linux (32 768 and up) and macOS, and so does its bus: no outgoing
 * connection can settle there while a server restarts. It is drawn at random, so parallel test workers seldom
 * meet; between the answer and its use another process may still take the port, hence `startRedisProcess`
 * tries again.
 */
export async function freePort({ withBus = false }: FreePortOptions = {}): Promise<number> {
  for (let attempt = 0; attempt < PORT_COUNT; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORT_COUNT)
    if (given.has(port)) continue
    given.add(port)
    if ((await isFree(port)) && (!withBus || (await isFree(port + BUS_OFFSET)))) return port
  }
  throw new Error(`No free port between ${FIRST_PORT} and ${FIRST_PORT + PORT_COUNT - 1}`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
