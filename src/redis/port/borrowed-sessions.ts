import { unavailable } from './redis-errors.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from './redis-port.ts'

/** Sends a command on the connection that a handle stands for. */
type SendOn<Handle> = (
  handle: Handle,
  command: readonly RedisArgument[],
  form: ReplyForm,
) => Promise<RedisReply>

/**
 * The sessions of a client that belongs to the caller, as reported by the client's events. All ports over one client
 * share them, and each has its own watch.
 *
 * A handle is the object that stands for a connection; it survives reconnects. Each time the connection is established,
 * a new session begins, which is a {@link PortConnection} of its own. Sessions are never tracked: the caller chose the
 * options of the handshake.
 */
export class BorrowedSessions<Handle extends object> {
  readonly #send: SendOn<Handle>
  readonly #endpointOf: (handle: Handle) => string
  readonly #suspect: (handle: Handle) => void
  readonly #demoted: (handle: Handle) => void
  readonly #sessions = new Map<Handle, PortConnection>()
  readonly #watches = new Set<PortWatch>()

  constructor(
    send: SendOn<Handle>,
    endpointOf: (handle: Handle) => string,
    suspect: (handle: Handle) => void = () => {},
    demoted: (handle: Handle) => void = () => {},
  ) {
    this.#send = send
    this.#endpointOf = endpointOf
    this.#suspect = suspect
    this.#demoted = demoted
  }

  /** Reports the present sessions to `watch`, and from then on all changes. */
  join(watch: PortWatch): void {
    if (this.#watches.has(watch)) return
    this.#watches.add(watch)
    for (const session of this.#sessions.values()) watch.opened(session)
  }

  /** Reports the present sessions to `watch` as closed, and nothing after that. */
  leave(watch: PortWatch): void {
    if (!this.#watches.delete(watch)) return
    for (const session of this.#sessions.values()) watch.closed(session, 'closed')
  }

  /** The current session of a handle; `undefined` while it is not connected. */
  of(handle: Handle): PortConnection | undefined {
    return this.#sessions.get(handle)
  }

  /** Begins a session, after closing the handle's previous one. */
  open(handle: Handle): void {
    this.close(handle, 'connected anew')
    const session: PortConnection = {
      endpoint: this.#endpointOf(handle),
      isTracked: false,
      runId: undefined,
      replicationId: undefined,
      version: '',
      send: (command, form) =>
        this.#sessions.get(handle) === session
          ? this.#send(handle, command, form)
          : Promise.reject(unavailable('not connected')),
      demoted: () => this.#demoted(handle),
      unconfirmedMs: () => 0,
      suspect: () => this.#suspect(handle),
    }
    this.#sessions.set(handle, session)
    for (const watch of this.#watches) watch.opened(session)
  }

  close(handle: Handle, reason: string): void {
    const session = this.#sessions.get(handle)
    if (session === undefined) return
    this.#sessions.delete(handle)
    for (const watch of this.#watches) watch.closed(session, reason)
  }

  closeAll(reason: string): void {
    for (const handle of this.#sessions.keys()) this.close(handle, reason)
  }

  rerouted(): void {
    for (const watch of this.#watches) watch.rerouted()
  }
}
