import type { OpenChanges } from '../changes/open-changes.ts'
import type { Monitor } from '../core/monitor.ts'

/** Sends the checked writes of one namespace; those within a change are sent when that has ended. */
export class WriteSender {
  readonly #changes: OpenChanges
  readonly #monitor: Monitor

  constructor(changes: OpenChanges, monitor: Monitor) {
    this.#changes = changes
    this.#monitor = monitor
  }

  /**
   * @param operation the name of the operation, for the event that tells of the failure of a collected write
   * @param meanwhile what its caller gets if the write is collected
   * @throws CacheError as `send` does
   */
  async send<Result>(
    operation: string,
    key: string | undefined,
    meanwhile: Result,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const change = this.#changes.current
    if (change === undefined) return send()
    // The outcome of the change is known when it is sent, so its failure rejects nothing.
    change.add({
      send: () => send().catch((error: unknown) => this.#monitor.publish(operation, key, error)),
    })
    return meanwhile
  }
}
