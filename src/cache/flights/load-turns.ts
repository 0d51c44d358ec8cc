import type { LoadPlace, LoadPlaces } from '../core/load-places.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { Flight } from './flight.ts'

/**
 * The turns of flights to load (`maxLoads`). A flight waits for its turn before it asks for the lease, so that it keeps
 * no other process waiting meanwhile.
 */
export class LoadTurns {
  readonly #places: LoadPlaces

  constructor(places: LoadPlaces) {
    this.#places = places
  }

  /** Asks for a turn. A batch has one for all its keys, and the holder of a slot needs none. */
  ask(flight: Flight, { isTurn, shared }: LoadRequest): LoadPlace | undefined {
    if (shared !== undefined || isTurn) return undefined
    const place = this.#places.take(flight.isUrgent)
    flight.beginQueueing(place)
    return place
  }

  /** Waits for a turn that was not granted at once. @throws the reason for which the flight was abandoned */
  async wait(flight: Flight, place: LoadPlace): Promise<void> {
    flight.onAbandoned(() => place.end())
    await place.granted
    if (flight.isAbandoned) flight.signal.throwIfAborted()
  }

  /** Runs a load when it is its turn. */
  async within<Result>(flight: Flight, request: LoadRequest, load: () => Promise<Result>): Promise<Result> {
    const place = this.ask(flight, request)
    try {
      if (place?.granted !== undefined) await this.wait(flight, place)
      return await load()
    } finally {
      place?.end()
    }
  }
}
