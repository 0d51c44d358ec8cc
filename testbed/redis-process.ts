import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireRedisServer } from './find-redis-server.ts'
import { freePort } from './free-port.ts'
import { askRedis, RedisErrorReply, type RedisReply } from './redis-command.ts'
import { waitUntil } from './wait-until.ts'
import { Watchdog } from './watchdog.ts'

const PORT_ATTEMPTS = 5
const START_BOUND_MS = 15_000
const STOP_BOUND_MS = 3000

/** What a {@link RedisProcess} runs as. */
export interface RedisProcessOptions {
  /** Arguments of `redis-server`, before those that say where it listens; a config file comes first. */
  readonly args?: readonly string[]
  /** Files laid into the server's directory, which is where it runs: `args` name them without a path. */
  readonly files?: Readonly<Record<string, string>>
  /** What its port speaks; with `'socket'` it has none and listens on its Unix socket alone. @default 'tcp' */
  readonly listen?: 'tcp' | 'tls' | 'socket'
  /** @default a free port, another one if it is taken meanwhile */
  readonly port?: number
  /** Whether the port of the cluster bus must be free too. @default false */
  readonly withBus?: boolean
  /** Whom `ask` signs in as. @default nobody */
  readonly credentials?: { readonly username?: string; readonly password?: string }
}

/**
 * Starts a Redis server on 127.0.0.1 and resolves when it answers.
 *
 * It does not keep this process running, and it never outlives it: a {@link Watchdog} sees to that.
 *
 * @throws Error with the server's log when it ends before it answers, or does not answer within 15 s
 */
export async function startRedisProcess(options: RedisProcessOptions = {}): Promise<RedisProcess> {
  const { listen, port, withBus = false } = options
  for (let attempt = 1; ; attempt++) {
    const server = new RedisProcess(
      options,
      listen === 'socket' ? 0 : (port ?? (await freePort({ withBus }))),
    )
    try {
      await server.restart()
      return server
    } catch (error) {
      const portTaken = server.log().includes('Address already in use')
      await server.stop()
      if (!portTaken || port !== undefined || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

/** Starts several at once. Should one fail, the others are ended before it is thrown. */
export async function startRedisProcesses(each: readonly RedisProcessOptions[]): Promise<RedisProcess[]> {
  const starts = await Promise.allSettled(each.map(startRedisProcess))
  const servers = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed === undefined) return servers
  await Promise.all(servers.map((server) => server.stop()))
  throw failed.reason
}

/** One `redis-server` process, with a directory of its own. Made by {@link startRedisProcess}. */
export class RedisProcess {
  readonly host = '127.0.0.1'
  /** 0 where it listens on its Unix socket alone. */
  readonly port: number
  /** Its working directory; gone after {@link RedisProcess.stop}. */
  readonly directory: string
  /** Every server has a Unix socket: whoever answers there is this server, whatever became of the port. */
  readonly socketPath: string
  readonly #program = requireRedisServer()
  readonly #args: readonly string[]
  readonly #credentials: { readonly username?: string; readonly password?: string }
  readonly #watchdog: Watchdog
  #running: { readonly child: ChildProcess; readonly exited: Promise<void> } | undefined
  #stopped: Promise<void> | undefined

  /** @internal */
  constructor(
    { args = [], files = {}, listen = 'tcp', credentials = {} }: RedisProcessOptions,
    port: number,
  ) {
    this.port = port
    this.directory = mkdtempSync(join(tmpdir(), 'cachewright-redis-'))
    this.socketPath = join(this.directory, 'redis.sock')
    this.#credentials = credentials
    this.#watchdog = new Watchdog(this.directory)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.directory, name), text)
    const ports = listen === 'tls' ? ['--port', '0', '--tls-port', `${port}`] : ['--port', `${port}`]
    this.#args = [...args, '--bind', this.host, ...ports, '--unixsocket', 'redis.sock']
  }

  /** `undefined` while the server is down. */
  get pid(): number | undefined {
    return this.#running?.child.pid
  }

  /** What the server has printed so far, over all its runs. */
  log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8')
  }

  /** One command over the server's Unix socket: see `askRedis`. */
  ask(...command: readonly (string | number | Buffer)[]): Promise<RedisReply> {
    return askRedis({ path: this.socketPath, ...this.#credentials }, ...command)
  }

  /** Ends the server if it runs, starts it again on the same port and in the same directory, until it answers. */
  async restart(): Promise<void> {
    if (this.#stopped !== undefined) throw new Error('A stopped Redis process cannot be restarted')
    await this.#terminate()
    this.#launch()
    await waitUntil(() => this.pid === undefined || this.#answers(), {
      what: `redis-server on port ${this.port}`,
      timeoutMs: START_BOUND_MS,
    }).catch((error: unknown) => {
      throw new Error(`redis-server on port ${this.port} does not answer:\n${this.log()}`, { cause: error })
    })
    if (this.pid === undefined)
      throw new Error(`redis-server on port ${this.port} did not start:\n${this.log()}`)
  }

  /** Ends the server for good, whatever state it is in, and removes its directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#terminate().then(() => this.#watchdog.end())
    return this.#stopped
  }

  /** Ends the server as a crash would. It may be restarted; {@link RedisProcess.stop} still has to clear up. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Freezes the server: its connections stay open and nothing is answered. */
  pause(): void {
    this.#running?.child.kill('SIGSTOP')
  }

  /** Lets a paused server go on. */
  resume(): void {
    this.#running?.child.kill('SIGCONT')
  }

  #launch(): void {
    const log = openSync(join(this.directory, 'log'), 'a')
    // A session of its own: a Ctrl-C in the terminal reaches the test run, which then stops its servers in order.
    const child = spawn(this.#program, this.#args, {
      cwd: this.directory,
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#watchdog.guard(child.pid)
    child.unref()
    const exited = new Promise<void>((resolve) => {
      const gone = (): void => {
        this.#watchdog.guard(undefined)
        this.#running = undefined
        resolve()
      }
      child.once('exit', gone)
      child.once('error', gone) // the program could not be run at all
    })
    this.#running = { child, exited }
  }

  /** A refusal (`NOAUTH`, …) is an answer too, unless the server is still reading its data. */
  async #answers(): Promise<boolean> {
    try {
      await askRedis({ path: this.socketPath }, 'PING')
      return true
    } catch (error) {
      return error instanceof RedisErrorReply && !error.message.startsWith('LOADING')
    }
  }

  async #terminate(): Promise<void> {
    this.resume() // a stopped process would not heed SIGTERM
    const patience = setTimeout(() => this.#end('SIGKILL'), STOP_BOUND_MS)
    await this.#end('SIGTERM')
    clearTimeout(patience)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#running === undefined) return
    const { child, exited } = this.#running
    child.ref() // else this process might end while it waits
    child.kill(signal)
    await exited
  }
}
