import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'
import type { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { onEventLoopGap } from '../port/event-loop-gaps.ts'
import { LivenessProbe } from '../port/liveness-probe.ts'
import { LONGEST_REDIAL_MS, redialPauseMs } from '../port/redial-pause.ts'
import { detailOf, fromErrorReply, unavailable } from '../port/redis-errors.ts'
import type { RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'
import { callIoredis, type IoredisConnection, ioredisEndpoint, isReplyError } from './client.ts'
import { ownDuplicate } from './own-duplicate.ts'

/**
 * A connection of this library's own to the server of a caller's connection, with the caller's address, credentials and
 * database. All commands use it, so those over one key keep their order. It sends no command twice, and queues none while
 * it is not connected: a command that it rejects with `CACHE_UNAVAILABLE` has not been sent.
 *
 * A lost connection is dialled again until `close` or `drop`.
 */
export class OwnConnection {
  readonly #origin: IoredisConnection
  readonly #sessions: BorrowedSessions<OwnConnection>
  readonly #onLost: () => void
  readonly #probe: LivenessProbe
  readonly #connectTimeoutMs: number
  #connection: IoredisConnection | undefined
  /** Whether a connection has succeeded before. */
  #wasReady = false
  /** Whether the current session has been reported. Events come later than `status` changes. */
  #isOpen = false
  #isWanted = true
  #readying: Promise<void> | undefined
  #settleReadying: ((failure?: Error) => void) | undefined
  #failure: unknown
  #redialTimer: NodeJS.Timeout | undefined
  /** Ends an attempt to connect that takes too long, handshake included. */
  #attemptTimer: NodeJS.Timeout | undefined
  /** Ends the reaction to gaps of the event loop. */
  readonly #forgetGaps: () => void

  /**
   * Begins to connect.
   * @param onLost called after each loss and after each failed attempt
   */
  constructor(
    origin: IoredisConnection,
    sessions: BorrowedSessions<OwnConnection>,
    timeouts: ResolvedTimeouts,
    onLost: () => void = () => {},
  ) {
    this.#origin = origin
    this.#sessions = sessions
    this.#probe = new LivenessProbe(timeouts.commandTimeoutMs)
    // The deadline of the caller's, if that is earlier.
    this.#connectTimeoutMs = Math.min(
      origin.options.connectTimeout ?? timeouts.connectTimeoutMs,
      timeouts.connectTimeoutMs,
    )
    this.#onLost = onLost
    this.#connection = this.#dial()
    this.#forgetGaps = onEventLoopGap(() => this.#check(true))
  }

  get endpoint(): string {
    return ioredisEndpoint(this.#origin)
  }

  get host(): string {
    return this.#origin.options.host ?? ''
  }

  /** Whether it has been connected before. It may be lost now. */
  get wasReady(): boolean {
    return this.#wasReady
  }

  /** Whether a command would be written now. */
  get isReady(): boolean {
    const connection = this.#connection
    return this.#isOpen && connection?.status === 'ready' && connection.stream?.writable !== false
  }

  /** Resolves when commands can be sent; rejects if the present attempt to connect fails. */
  ready(): Promise<void> {
    if (this.isReady) return Promise.resolve()
    this.#readying ??= new Promise<void>((resolve, reject) => {
      this.#settleReadying = (failure) => {
        this.#readying = undefined
        this.#settleReadying = undefined
        if (failure === undefined) resolve()
        else reject(failure)
      }
    })
    return this.#readying
  }

  send(command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const connection = this.#connection
    return connection !== undefined && this.isReady
      ? callIoredis(connection, command, form)
      : Promise.reject(unavailable('not connected'))
  }

  /** As `RedisPort.suspect`, for this connection. */
  suspect(): void {
    this.#check(false)
  }

  /** Gives the present connection up, without waiting for outstanding replies, and dials a new one. */
  replace(reason: string): void {
    if (!this.#isWanted) return
    this.#abandon(reason)
    this.#connection = this.#dial()
  }

  /** Waits for outstanding replies, then closes. Never rejects. */
  async close(): Promise<void> {
    // Replies come in the order of the commands.
    await this.send(['PING'], 'text').catch(() => {})
    this.drop()
  }

  drop(): void {
    if (!this.#isWanted) return
    this.#isWanted = false
    this.#forgetGaps()
    this.#abandon('closed')
    this.#settleReadying?.(unavailable('closed while connecting'))
  }

  #check(isAfterGap: boolean): void {
    const connection = this.#connection
    if (connection === undefined || !this.isReady) return
    this.#probe.check(
      connection,
      () => callIoredis(connection, ['PING'], 'text'),
      () => {
        if (connection === this.#connection) this.replace('silent')
      },
      isAfterGap,
    )
  }

  #abandon(reason: string): void {
    const abandoned = this.#connection
    clearTimeout(this.#redialTimer)
    clearTimeout(this.#attemptTimer)
    this.#isOpen = false
    this.#sessions.close(this, reason)
    this.#connection = undefined
    if (abandoned === undefined) return
    this.#probe.cancel(abandoned)
    abandoned.disconnect()
  }

  #dial(): IoredisConnection {
    const { condition, options } = this.#origin
    const connection = ownDuplicate(this.#origin, {
      connectTimeout: this.#connectTimeoutMs,
      db: condition?.select ?? options.db ?? 0,
      // Behind Sentinel: a primary that the sentinels have replaced is left, although it answers.
      failoverDetector: true,
      retryStrategy: (attempt: number) => redialPauseMs(attempt - 1),
    })
    const whileCurrent = (react: (detail: unknown) => void) => (detail: unknown) => {
      if (connection === this.#connection) react(detail)
    }
    connection.on('error', (error) => {
      this.#failure = error
    })
    connection.on(
      'connecting',
      whileCurrent(() => {
        clearTimeout(this.#attemptTimer)
        this.#attemptTimer = setTimeout(() => this.replace('silent'), this.#connectTimeoutMs).unref()
      }),
    )
    connection.on('ready', whileCurrent(this.#opened))
    connection.on('close', whileCurrent(this.#lost))
    // A connector that finds no server, as with Sentinel, ends the connection, and no redial follows.
    connection.on(
      'end',
      whileCurrent(() => {
        this.#lost()
        this.#redialTimer = setTimeout(() => this.replace('redialled'), LONGEST_REDIAL_MS).unref()
      }),
    )
    connection.connect().catch(() => {})
    return connection
  }

  readonly #opened = (): void => {
    clearTimeout(this.#attemptTimer)
    // `ioredis` becomes ready also if its SELECT was refused; then it is connected to another database.
    if (isReplyError(this.#failure)) {
      this.#connection?.disconnect(true)
      return
    }
    this.#failure = undefined
    this.#isOpen = true
    this.#wasReady = true
    this.#sessions.open(this)
    this.#settleReadying?.()
  }

  readonly #lost = (): void => {
    clearTimeout(this.#attemptTimer)
    this.#isOpen = false
    this.#sessions.close(this, 'lost')
    const failure = this.#failure
    this.#failure = undefined
    this.#settleReadying?.(
      isReplyError(failure) ? fromErrorReply(failure.message) : unavailable(this.#why(failure)),
    )
    this.#onLost()
  }

  #why(failure: unknown): string {
    return `${failure === undefined ? 'not connected' : detailOf(failure)} at ${this.endpoint}`
  }
}
