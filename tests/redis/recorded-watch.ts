import type { PortConnection, PortWatch } from '../../src/redis/port/redis-port.ts'

/** A watch that records its events. */
export class RecordedWatch implements PortWatch {
  readonly wantsTracking = true
  readonly trustMs = 3_000
  readonly open = new Set<PortConnection>()
  readonly invalidatedKeys: (string | null)[] = []
  closures = 0
  reroutes = 0

  opened(connection: PortConnection): void {
    this.open.add(connection)
  }

  closed(connection: PortConnection): void {
    if (!this.open.delete(connection)) throw new Error('a connection was closed that was not open')
    this.closures++
  }

  invalidated(storedKey: string | null): void {
    this.invalidatedKeys.push(storedKey)
  }

  rerouted(): void {
    this.reroutes++
  }
}
