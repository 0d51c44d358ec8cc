import { connect, type Socket } from 'node:net'
import type { Contender } from './contender.ts'

const LF = 10
const DOLLAR = 36

/** What no client can pass: GETs written together in one tick, replies taken apart as they come, nothing else. */
export const rawSocket: Contender = {
  name: 'raw socket reader',
  kind: 'limit',
  imports: [],
  openShared: async ({ format, prefix, ttlMs, url }) => {
    const reader = new RawReader(connect(Number(new URL(url).port), '127.0.0.1'))
    const isText = format === 'text'
    const set = (key: string, value: unknown) =>
      reader.ask('SET', prefix + key, isText ? (value as string) : JSON.stringify(value), 'PX', String(ttlMs))
    return {
      get: isText
        ? (key) => reader.ask('GET', prefix + key)
        : async (key) => JSON.parse((await reader.ask('GET', prefix + key)) as string),
      set,
      close: async () => reader.close(),
    }
  },
}

/** Commands in, strings out, in order. */
class RawReader {
  readonly #socket: Socket
  readonly #waiting: ((reply: string | null) => void)[] = []
  #answered = 0
  #out = ''
  #in: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#received(chunk))
  }

  ask(...args: readonly string[]): Promise<string | null> {
    if (this.#out === '') queueMicrotask(() => this.#flush())
    let command = `*${args.length}\r\n`
    for (const arg of args) command += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
    this.#out += command
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  close(): void {
    this.#socket.destroy()
  }

  #flush(): void {
    this.#socket.write(this.#out)
    this.#out = ''
  }

  #received(chunk: Buffer): void {
    const bytes = this.#in.length === 0 ? chunk : Buffer.concat([this.#in, chunk])
    let at = 0
    for (;;) {
      const lineEnd = bytes.indexOf(LF, at)
      if (lineEnd < 0) break
      let reply: string | null = ''
      let next = lineEnd + 1
      if (bytes[at] === DOLLAR) {
        const length = Number(bytes.toString('latin1', at + 1, lineEnd - 1))
        if (length < 0) reply = null
        else {
          if (bytes.length < next + length + 2) break
          reply = bytes.toString('utf8', next, next + length)
          next += length + 2
        }
      }
      at = next
      this.#settle(reply)
    }
    this.#in = at === bytes.length ? Buffer.alloc(0) : bytes.subarray(at)
  }

  /** The queue is emptied as a whole: taking each from its front would move all others. */
  #settle(reply: string | null): void {
    this.#waiting[this.#answered++]?.(reply)
    if (this.#answered === this.#waiting.length) {
      this.#waiting.length = 0
      this.#answered = 0
    }
  }
}
