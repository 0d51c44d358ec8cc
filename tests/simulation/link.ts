import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import type { Clock, Timers } from '../../src/foundation/time/clock.ts'

/** A command on its way. */
export interface Request {
  readonly label: string
  readonly run: (link: Link) => unknown
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: CacheError) => void
}

/** How a lease is given back. */
export type Released = [token: string, isFruitless: boolean, pauseMs?: number]

/** What comes back: replies and pushes in one order. */
export type KeyWaiter =
  | { readonly kind: 'reply'; readonly request: Request; readonly reply: unknown }
  | { readonly kind: 'push'; readonly storedKey: string }
  | { readonly kind: 'flush' }

/** How long a reply is waited for. */
interface Patience {
  readonly clock: Clock
  readonly timers: Timers
  readonly timeoutMs: number
}

/** One TCP connection: what was sent and not yet executed, what was answered and has not yet arrived. */
export class Link {
  readonly name: string
  readonly requests: Request[] = []
  readonly inbound: KeyWaiter[] = []
  /** How much was put on its way back, and how much of it has arrived. */
  sent = 0
  arrived = 0
  /** The server's end is gone; ours may not know. */
  isCut = false
  /** A later connection has had it closed: what was sent on it must not be run any more. */
  isKilled = false
  readonly #unanswered = new Set<Request>()

  constructor(name: string) {
    this.name = name
  }

  /** Sends a command, and waits for its reply until it is due. */
  ask<Reply>(label: string, run: (link: Link) => Reply, patience: Patience): Promise<Reply> {
    const { clock, timeoutMs, timers } = patience
    return new Promise((resolve, reject) => {
      const sentMs = clock.monotonicMs()
      const expire = () => reject(new CacheError('CACHE_TIMEOUT', `No reply to ${label}`))
      const cancel = timers.after(timeoutMs, expire)
      this.#send({
        label,
        run,
        resolve: (reply) => {
          cancel()
          // Timers go before what the network brings: a reply that is late is never seen.
          if (clock.monotonicMs() - sentMs > timeoutMs) expire()
          resolve(reply as Reply)
        },
        reject: (error) => {
          cancel()
          reject(error)
        },
      })
    })
  }

  #send(request: Request): void {
    this.#unanswered.add(request)
    this.requests.push(request)
  }

  arrive(arrival: KeyWaiter): void {
    if (this.isCut) return
    this.sent++
    this.inbound.push(arrival)
  }

  /** A key that it has read was changed. */
  invalidated(storedKey: string): void {
    this.arrive({ kind: 'push', storedKey })
  }

  answered(request: Request): void {
    this.#unanswered.delete(request)
  }

  /** Our end learns that it is gone: whatever was not answered fails. */
  fail(): void {
    for (const { reject } of this.#unanswered) {
      reject(new CacheError('CACHE_DISCONNECTED', 'The connection was lost'))
    }
    this.#unanswered.clear()
  }
}
