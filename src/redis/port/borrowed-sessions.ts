import { unavailable } from './redis-errors.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from './redis-port.ts'

/**
 * The connections of a client that belongs to the caller, as far as its events tell of them. A connection is known
 * by what the client keeps for as long as it exists, here called a line; each time that it is connected anew is a
 * life of its own. Nothing that is read on them can be tracked, since the caller chose how they shook hands.
 */
export class BorrowedSessions<Line extends object> {
  readonly #send: (line: Line, command: readonly RedisArgument[], form: ReplyForm) => Promise<RedisReply>
  readonly #endpointOf: (line: Line) => string
  readonly #lives = new Map<Line, PortConnection>()
  #watch: PortWatch | undefined

  constructor(
    send: (line: Line, command: readonly RedisArgument[], form: ReplyForm) => Promise<RedisReply>,
    endpointOf: (line: Line) => string,
  ) {
    this.#send = send
    this.#endpointOf = endpointOf
  }

  watch(watch: PortWatch): void {
    this.#watch = watch
    for (const life of this.#lives.values()) watch.opened(life)
  }

  of(line: Line): PortConnection | undefined {
    return this.#lives.get(line)
  }

  /** Begins a life, and ends the one before. */
  open(line: Line): void {
    this.close(line, 'connected anew')
    const life: PortConnection = {
      endpoint: this.#endpointOf(line),
      isTracked: false,
      runId: undefined,
      version: '',
      send: (command, form) =>
        this.#lives.get(line) === life
          ? this.#send(line, command, form)
          : Promise.reject(unavailable('not connected')),
      suspect() {},
    }
    this.#lives.set(line, life)
    this.#watch?.opened(life)
  }

  close(line: Line, reason: string): void {
    const life = this.#lives.get(line)
    if (life === undefined) return
    this.#lives.delete(line)
    this.#watch?.closed(life, reason)
  }

  closeAll(reason: string): void {
    for (const line of this.#lives.keys()) this.close(line, reason)
  }

  rerouted(): void {
    this.#watch?.rerouted()
  }
}
