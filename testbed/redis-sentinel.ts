import { deepStrictEqual } from 'node:assert/strict'
import type { RedisReply } from './redis-command.ts'
import { type RedisProcess, type RedisProcessOptions, startRedisProcesses } from './redis-process.ts'
import { waitUntil } from './wait-until.ts'

const NAME = 'cachewright'
const QUORUM = 2
/** Longer than the 30 s of TILT mode. */
const SETTLE_BOUND_MS = 45_000

/** What {@link startSentinel} starts. */
export interface SentinelOptions {
  /** Milliseconds of silence after which a sentinel takes the primary for down. @default 1000 */
  readonly downAfterMs?: number
  /** More arguments of the primary and the replica; they win over the testbed's own. */
  readonly args?: readonly string[]
  /** Whom the sentinels sign in as at both servers; `args` have to make the user. @default nobody */
  readonly user?: { readonly name: string; readonly password: string }
}

/**
 * Starts a primary, its replica and three sentinels on 127.0.0.1, and resolves when the replica is in sync and
 * every sentinel knows it, the other sentinels and a quorum.
 */
export async function startSentinel(options: SentinelOptions = {}): Promise<RedisSentinel> {
  const { args = [] } = options
  const data: RedisProcessOptions = {
    args: ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', ...args],
  }
  // A sentinel keeps what it learns in its config file; whom to watch it is told below.
  const sentinel: RedisProcessOptions = {
    args: ['sentinel.conf', '--sentinel'],
    files: { 'sentinel.conf': '' },
  }
  const servers = await startRedisProcesses([data, data, sentinel, sentinel, sentinel])
  const [primary, replica, ...sentinels] = servers as [RedisProcess, RedisProcess, ...RedisProcess[]]
  const testbed = new RedisSentinel(primary, replica, sentinels)
  try {
    await replica.ask('REPLICAOF', primary.host, primary.port)
    await Promise.all(sentinels.map((each) => watch(each, primary, options)))
    await testbed.settled()
    return testbed
  } catch (error) {
    await testbed.stop()
    throw error
  }
}

async function watch(
  sentinel: RedisProcess,
  primary: RedisProcess,
  { downAfterMs = 1000, user }: SentinelOptions,
): Promise<void> {
  // Sentinels tell of themselves every 2 s, look for replicas every 10 s, and stand still for 30 s (TILT mode) after
  // the machine has kept them waiting for 2 s: too slow for a test. Servers before 7.0 cannot be hurried; with them it
  // only takes longer.
  const hurry = ['INFO-PERIOD', 200, 'PUBLISH-PERIOD', 200, 'ASK-PERIOD', 200, 'TILT-PERIOD', 1_000]
  await sentinel.ask('SENTINEL', 'DEBUG', ...hurry).catch(() => {})
  await sentinel.ask('SENTINEL', 'MONITOR', NAME, primary.host, primary.port, QUORUM)
  await sentinel.ask(
    'SENTINEL',
    'SET',
    NAME,
    'down-after-milliseconds',
    downAfterMs,
    'failover-timeout',
    downAfterMs * 4,
    ...(user === undefined ? [] : ['auth-user', user.name, 'auth-pass', user.password]),
  )
}

/** Two servers and the three sentinels that watch them. Made by {@link startSentinel}. */
export class RedisSentinel {
  /** The name the sentinels know the primary by. */
  readonly name = NAME
  readonly sentinels: readonly RedisProcess[]
  /** The server that began as the primary; {@link RedisSentinel.current} is the one that is it now. */
  readonly primary: RedisProcess
  /** The server that began as the replica. */
  readonly replica: RedisProcess

  /** @internal */
  constructor(primary: RedisProcess, replica: RedisProcess, sentinels: readonly RedisProcess[]) {
    this.primary = primary
    this.replica = replica
    this.sentinels = sentinels
  }

  /** Of the sentinels. */
  get urls(): readonly string[] {
    return this.sentinels.map(({ port }) => `redis://127.0.0.1:${port}`)
  }

  /** The server that is the primary now, as the first sentinel to answer sees it. */
  async current(): Promise<RedisProcess> {
    const asked = this.sentinels.map((each) => each.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME))
    const [, port] = (await Promise.any(asked)) as [host: string, port: string]
    return this.primary.port === Number(port) ? this.primary : this.replica
  }

  /**
   * Has the two servers change roles, and resolves with the new primary when all is {@link RedisSentinel.settled} again. For a
   * failover as it comes about by itself, kill or pause the current primary instead.
   */
  async failover(): Promise<RedisProcess> {
    const next = (await this.current()) === this.primary ? this.replica : this.primary
    const [sentinel] = this.sentinels as readonly [RedisProcess]
    const hasHappened = async () => {
      const [, port] = (await sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string]
      // Sentinels refuse while another failover is going on or the replica's state is not known yet. They may also
      // give one up, or change the roles back if they held a server for down in the meantime.
      if (Number(port) !== next.port) await sentinel.ask('SENTINEL', 'FAILOVER', NAME)
      return this.#agreeOn(next)
    }
    await waitUntil(hasHappened, { what: `a failover to port ${next.port}`, timeoutMs: SETTLE_BOUND_MS })
    return next
  }

  /**
   * Resolves when every sentinel takes the same server for the primary, the other one follows it, and all see all. On a
   * busy machine that may be either server: sentinels that were kept waiting change the roles.
   */
  settled(): Promise<void> {
    const hasSettled = async () => this.#agreeOn(await this.current())
    return waitUntil(hasSettled, { what: 'the sentinels to settle', timeoutMs: SETTLE_BOUND_MS })
  }

  /** Whether all five agree that this server is the primary; if not, it rejects with what differs. */
  async #agreeOn(primary: RedisProcess): Promise<true> {
    const wanted = {
      primary: [String(primary.port), 'master'],
      otherSentinels: String(this.sentinels.length - 1),
      replicas: [['slave', 'ok']],
    }
    const views = this.sentinels.map(async (sentinel) => {
      const seen = toRecord(await sentinel.ask('SENTINEL', 'MASTER', NAME))
      const replicas = (await sentinel.ask('SENTINEL', 'REPLICAS', NAME)) as RedisReply[]
      await sentinel.ask('SENTINEL', 'CKQUORUM', NAME) // an error while there is none
      return {
        primary: [seen.port, seen.flags],
        otherSentinels: seen['num-other-sentinels'],
        replicas: replicas.map(toRecord).map((each) => [each.flags, each['master-link-status']]),
      }
    })
    deepStrictEqual(
      await Promise.all(views),
      views.map(() => wanted),
    )
    return true
  }

  /** Ends all five. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, this.primary, this.replica].map((server) => server.stop()))
  }
}

/** A reply of names and values in turn. */
function toRecord(reply: RedisReply): Record<string, RedisReply> {
  const items = reply as RedisReply[]
  return Object.fromEntries(
    items.flatMap((name, at) => (at % 2 === 0 ? [[name, items[at + 1] ?? null]] : [])),
  )
}
