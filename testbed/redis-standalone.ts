import type { generate } from 'selfsigned'
import type { RedisReply } from './redis-command.ts'
import { type RedisProcess, startRedisProcess } from './redis-process.ts'

/** What {@link startStandalone} starts. */
export interface StandaloneOptions {
  /** More arguments of `redis-server`; they win over the testbed's own. */
  readonly args?: readonly string[]
  /** Listens on a Unix socket alone, and `url` names that. @default false */
  readonly unixSocket?: boolean
  /** Speaks TLS, with a certificate made for this run. @default false */
  readonly tls?: boolean
  /** The password of the default user, or, with `aclFile`, that of `username`. */
  readonly password?: string
  /** The user of `aclFile` that `url` and `ask` sign in as. @default the default user */
  readonly username?: string
  /** The text of an ACL file: `user … on >secret ~cache:* +@all`, a line per user. */
  readonly aclFile?: string
}

/** A running server. What it does is told at {@link RedisProcess}. */
export interface Standalone {
  /** `redis://`, `rediss://` or `unix://`, with the password if there is one. */
  readonly url: string
  /** 0 with `unixSocket`. */
  readonly port: number
  readonly socketPath: string
  /** The certificate to trust, in PEM; `undefined` without `tls`. */
  readonly ca: string | undefined
  readonly process: RedisProcess
  ask(...command: readonly (string | number | Buffer)[]): Promise<RedisReply>
  stop(): Promise<void>
  kill(): Promise<void>
  pause(): void
  resume(): void
  restart(): Promise<void>
}

/**
 * Starts one Redis server that keeps nothing on disk.
 *
 * @example
 * ```ts
 * const redis = await startStandalone({ args: ['--maxmemory', '10mb'] })
 * await redis.ask('SET', 'greeting', 'hello')
 * await redis.stop()
 * ```
 */
export async function startStandalone(options: StandaloneOptions = {}): Promise<Standalone> {
  const { args = [], unixSocket = false, password, username, aclFile } = options
  const certificate = options.tls ? await makeCertificate() : undefined
  const server = await startRedisProcess({
    args: [
      ...['--save', '', '--appendonly', 'no'],
      ...(certificate
        ? ['--tls-cert-file', 'cert.pem', '--tls-key-file', 'key.pem', '--tls-auth-clients', 'no']
        : []),
      ...(aclFile === undefined ? [] : ['--aclfile', 'users.acl']),
      ...(password === undefined || aclFile !== undefined ? [] : ['--requirepass', password]),
      ...args,
    ],
    files: {
      ...(certificate && { 'cert.pem': certificate.cert, 'key.pem': certificate.private }),
      ...(aclFile !== undefined && { 'users.acl': `${aclFile}\n` }),
    },
    listen: unixSocket ? 'socket' : certificate ? 'tls' : 'tcp',
    credentials: { ...(username !== undefined && { username }), ...(password !== undefined && { password }) },
  })
  const scheme = unixSocket ? 'unix' : certificate ? 'rediss' : 'redis'
  const user = encodeURIComponent(username ?? '')
  const login = password === undefined ? '' : `${user}:${encodeURIComponent(password)}@`
  return {
    url: `${scheme}://${login}${unixSocket ? server.socketPath : `${server.host}:${server.port}`}`,
    port: server.port,
    socketPath: server.socketPath,
    ca: certificate?.cert,
    process: server,
    ask: (...command) => server.ask(...command),
    stop: () => server.stop(),
    kill: () => server.kill(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    restart: () => server.restart(),
  }
}

/** A certificate for 127.0.0.1 and localhost that vouches for itself. An elliptic key is made in milliseconds. */
async function makeCertificate(): ReturnType<typeof generate> {
  const { generate } = await import('selfsigned')
  return generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
}
