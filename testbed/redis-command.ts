import { connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

const CRLF = '\r\n'

/** Where {@link askRedis} asks: a Unix socket by its `path`, or else a port. */
export interface RedisTarget {
  /** @default '127.0.0.1' */
  readonly host?: string
  readonly port?: number
  readonly path?: string
  /** TLS on the port, with these settings (`ca`, …). */
  readonly tls?: ConnectionOptions
  /** @default the user named `default` */
  readonly username?: string
  readonly password?: string
  /** How long the server may stay silent. @default 5000 */
  readonly timeoutMs?: number
}

/** A reply as RESP2 has it. Bulk strings are read as UTF-8. */
export type RedisReply = string | number | null | RedisReply[]

/** The server understood the connection but refused the command; `message` is its own (`ERR …`, `NOAUTH …`). */
export class RedisErrorReply extends Error {
  override readonly name = 'RedisErrorReply'
}

/**
 * Sends one command over a connection of its own, and answers its reply. It leans on no Redis client, so that a
 * test can look at the server without asking the code under test.
 *
 * @throws RedisErrorReply when the server answers with an error, also one inside an array
 * @throws Error when it cannot be reached, closes the connection, or is silent for `timeoutMs`
 */
export function askRedis(
  target: RedisTarget,
  ...args: readonly (string | number | Buffer)[]
): Promise<RedisReply> {
  const { host = '127.0.0.1', port = 0, path, tls, username = 'default', password, timeoutMs = 5000 } = target
  const place = path === undefined ? { host, port } : { path }
  const commands = password === undefined ? [args] : [['AUTH', username, password], args]
  return new Promise((resolve, reject) => {
    const socket = tls === undefined ? connect(place) : connectTls({ ...tls, ...place })
    let received = Buffer.alloc(0)
    const settle = (settled: () => void): void => {
      socket.destroy()
      settled()
    }
    const fail = (why: string): void =>
      settle(() => reject(new Error(`Redis at ${path ?? `${host}:${port}`} ${why} (${String(args[0])})`)))

    socket.setTimeout(timeoutMs, () => fail(`gave no answer for ${timeoutMs} ms`))
    socket.on('error', (error) => settle(() => reject(error)))
    socket.on('close', () => fail('closed the connection')) // of no effect once settled
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      try {
        const replies = parseReplies(received, 0, commands.length)
        if (replies !== undefined) settle(() => resolve(replies.value.at(-1) ?? null))
      } catch (error) {
        settle(() => reject(error))
      }
    })
    socket.write(Buffer.concat(commands.map(encodeCommand)))
  })
}

function encodeCommand(args: readonly (string | number | Buffer)[]): Buffer {
  const parts = args.flatMap((arg) => {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    return [Buffer.from(`$${bytes.length}${CRLF}`), bytes, Buffer.from(CRLF)]
  })
  return Buffer.concat([Buffer.from(`*${args.length}${CRLF}`), ...parts])
}

/** A value read from the bytes, and where the next one begins. */
interface Parsed<V> {
  readonly value: V
  readonly next: number
}

/** `undefined` while bytes are missing. It begins anew with every chunk: replies here are few and small. */
function parseReply(bytes: Buffer, at: number): Parsed<RedisReply> | undefined {
  const lineEnd = bytes.indexOf(CRLF, at)
  if (lineEnd < 0) return undefined
  const kind = bytes.toString('latin1', at, at + 1)
  const line = bytes.toString('utf8', at + 1, lineEnd)
  const next = lineEnd + CRLF.length
  switch (kind) {
    case '+':
      return { value: line, next }
    case '-':
      throw new RedisErrorReply(line)
    case ':':
      return { value: Number(line), next }
    case '$':
      return parseBulk(bytes, next, Number(line))
    case '*':
      return line === '-1' ? { value: null, next } : parseReplies(bytes, next, Number(line))
    default:
      throw new Error(`Not a RESP2 reply: ${kind}${line}`)
  }
}

function parseBulk(bytes: Buffer, at: number, length: number): Parsed<string | null> | undefined {
  if (length < 0) return { value: null, next: at }
  const end = at + length
  if (bytes.length < end + CRLF.length) return undefined
  return { value: bytes.toString('utf8', at, end), next: end + CRLF.length }
}

function parseReplies(bytes: Buffer, at: number, count: number): Parsed<RedisReply[]> | undefined {
  const value: RedisReply[] = []
  let next = at
  while (value.length < count) {
    const parsed = parseReply(bytes, next)
    if (parsed === undefined) return undefined
    value.push(parsed.value)
    next = parsed.next
  }
  return { value, next }
}
