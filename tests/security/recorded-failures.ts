import { Writable } from 'node:stream'
import { inspect } from 'node:util'
import type { CacheError, Logger } from 'cachewright'
import { type Logger as PinoLogger, pino } from 'pino'

interface Emitter {
  on(event: 'error', listener: (payload: { readonly error: CacheError }) => void): unknown
}

/** Everything that a program could write into a log about failures, as text. */
export class RecordedFailures {
  readonly #texts: string[] = []
  readonly #codes = new Set<string>()
  readonly #pino: PinoLogger = pino(
    { level: 'trace' },
    new Writable({
      write: (line: Buffer, _encoding, done) => {
        this.#texts.push(line.toString())
        done()
      },
    }),
  )

  /** A logger for the backend: keeps what it is told as it is, and passes it on to pino. */
  readonly logger: Logger = {
    debug: (context, message) => this.#log('debug', context, message),
    warn: (context, message) => this.#log('warn', context, message),
    error: (context, message) => this.#log('error', context, message),
  }

  /** The codes of the errors seen so far. */
  get codes(): ReadonlySet<string> {
    return this.#codes
  }

  listenTo(backend: Emitter): void {
    backend.on('error', (payload) => {
      this.#texts.push(inspect({ ...payload, key: undefined }, { depth: 10, showHidden: true }))
      this.add(payload.error)
    })
  }

  /** Runs what is expected to fail, or to be absorbed. */
  async provoke(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.add(error)
    }
  }

  /** Writes an error in every way in which programs write errors. */
  add(error: unknown): void {
    for (let each = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
      if (!(each instanceof Error)) throw new Error(`Not an Error: ${typeof each}`)
      if ('code' in each) this.#codes.add(String(each.code))
      this.#texts.push(each.message, String(each.stack), String(each), JSON.stringify(each))
      for (const value of Object.values(each)) this.#texts.push(String(value), JSON.stringify(value) ?? '')
    }
    this.#texts.push(
      inspect(error, { depth: 10, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    )
    this.#pino.error({ err: error }, 'a failure')
    this.#pino.error(error)
  }

  /** Where any of these was told: the text around it. */
  holding(secrets: readonly string[]): string[] {
    return this.#texts.flatMap((text) =>
      secrets.flatMap((secret) => {
        const at = text.indexOf(secret)
        return at === -1 ? [] : [text.slice(Math.max(0, at - 150), at + secret.length + 50)]
      }),
    )
  }

  get size(): number {
    return this.#texts.length
  }

  #log(level: 'debug' | 'warn' | 'error', context: object, message: string): void {
    this.#texts.push(
      inspect([context, message], { depth: 10, showHidden: true }),
      JSON.stringify([context, message]),
    )
    this.#pino[level](context, message)
  }
}
