import type { ChangeListener } from '../keys/change-listener.ts'
import type { Flight } from './flight.ts'

/** The flights of a cache and its namespaces, by stored key. A write closes a flight; a push may only doubt it (L4). */
export class Flights implements ChangeListener {
  readonly #flights = new Map<string, Flight>()

  get size(): number {
    return this.#flights.size
  }

  has(storedKey: string): boolean {
    return this.#flights.has(storedKey)
  }

  get(storedKey: string): Flight | undefined {
    return this.#flights.get(storedKey)
  }

  /** Adds a flight. It takes the place of the key's previous flight. */
  begin(storedKey: string, flight: Flight): void {
    this.#flights.set(storedKey, flight)
  }

  end(storedKey: string, flight: Flight): void {
    if (this.#flights.get(storedKey) === flight) this.#flights.delete(storedKey)
  }

  invalidated(storedKey: string): void {
    this.#flights.get(storedKey)?.pushed()
  }

  writeBegan(storedKey: string): void {
    this.#flights.get(storedKey)?.close()
  }

  writeSettled(storedKey: string): void {
    this.#flights.get(storedKey)?.close()
  }

  removing(matches: (storedKey: string) => boolean): void {
    for (const [storedKey, flight] of this.#flights) if (matches(storedKey)) flight.close()
  }

  /** Nothing to do: `admission` compares the epoch of each flight. */
  epochBegan(): void {}
}
