import type { ChangeListener } from '../keys/change-listener.ts'
import type { Flight } from './flight.ts'

/** The flights of a cache and its namespaces, by stored key. A change to a key closes its flight to newcomers (L4). */
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

  /** Takes the place of the flight that is there. */
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

  /** A newcomer notices by itself that a flight began in an earlier epoch. */
  epochBegan(): void {}
}
