/** A load that runs, or waits for its turn. */
export interface LoadPlace {
  /** Resolves when the load may run, or has been given up; `undefined` if it may run now. */
  readonly granted: Promise<void> | undefined
  /** Lets the load run now: another one that has a place waits for it. */
  hurry(): void
  /** Called when the load has ended or was given up. May be called again. */
  end(): void
}

/**
 * The places for loads in this process (`maxLoads`). Loads that find none wait in their order.
 *
 * A load that another one waits for counts for nothing, and never waits: the other one holds a place meanwhile, and
 * would wait for itself.
 */
export class LoadPlaces {
  readonly #most: number
  readonly #queue = new Set<Place>()
  #taken = 0
  #extra = 0

  /** @param most `Infinity` if there is no limit */
  constructor(most: number) {
    this.#most = most
  }

  get isLimited(): boolean {
    return this.#most !== Number.POSITIVE_INFINITY
  }

  /** The number of loads that run. */
  get running(): number {
    return this.#taken + this.#extra
  }

  get queued(): number {
    return this.#queue.size
  }

  /** @param isUrgent whether another load waits for it */
  take(isUrgent: boolean): LoadPlace {
    const place = new Place(this)
    if (isUrgent) place.grant('extra')
    else if (this.#taken < this.#most) place.grant('taken')
    else {
      this.#queue.add(place)
      place.wait()
    }
    return place
  }

  /** @internal */
  changed(place: Place, from: PlaceState, to: PlaceState): void {
    if (from === 'queued') this.#queue.delete(place)
    else if (from === 'taken') this.#taken--
    else if (from === 'extra') this.#extra--
    if (to === 'taken') this.#taken++
    else if (to === 'extra') this.#extra++
    if (from !== 'taken') return
    const [next] = this.#queue
    next?.grant('taken')
  }
}

type PlaceState = 'new' | 'queued' | 'taken' | 'extra' | 'over'

class Place implements LoadPlace {
  readonly #places: LoadPlaces
  #state: PlaceState = 'new'
  #resolve: () => void = () => {}
  granted: Promise<void> | undefined

  constructor(places: LoadPlaces) {
    this.#places = places
  }

  wait(): void {
    this.#enter('queued')
    this.granted = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  grant(state: 'taken' | 'extra'): void {
    this.#enter(state)
    this.#resolve()
  }

  hurry(): void {
    if (this.#state === 'queued') this.grant('extra')
  }

  end(): void {
    if (this.#state === 'over') return
    this.#enter('over')
    this.#resolve()
  }

  #enter(state: PlaceState): void {
    const before = this.#state
    this.#state = state
    this.#places.changed(this, before, state)
  }
}
