import type { Acknowledged, SeenVersion } from '../traffic/cache-traffic.ts'

/** A change that a failover may have lost, since it was acknowledged by a server that was then replaced. */
export type MayBeLost = (acknowledgedAtMs: number, readAtMs: number) => boolean

/** What the reads of one mode have come to. */
export interface Judgement {
  /** Reads that were older than they may be, by what was acknowledged before them. */
  readonly wrong: readonly string[]
  /** Those that asynchronous replication explains. */
  readonly lost: number
  /** How long a change had been acknowledged when a local copy of before it was served, at most, in milliseconds. */
  readonly stalestMs: number
}

/** What was acknowledged, and what was read, in one mode by all processes. It begins with the changes that are known from before. */
export class Ledger {
  readonly #acknowledged = new Map<string, Acknowledged[]>()
  readonly #seen: SeenVersion[] = []
  /** How many changes were acknowledged. */
  acknowledged = 0

  constructor(known: readonly Acknowledged[] = []) {
    for (const change of known) this.#acknowledged.set(change.key, [change])
  }

  /** The newest change of each key. */
  get newest(): Acknowledged[] {
    return [...this.#acknowledged.values()].map((ofKey) =>
      ofKey.reduce((one, other) => (other.version > one.version ? other : one)),
    )
  }

  add(acknowledged: readonly Acknowledged[], seen: readonly SeenVersion[]): void {
    for (const change of acknowledged) {
      const ofKey = this.#acknowledged.get(change.key)
      if (ofKey === undefined) this.#acknowledged.set(change.key, [change])
      else ofKey.push(change)
    }
    this.acknowledged += acknowledged.length
    this.#seen.push(...seen)
  }

  /**
   * @param boundMs for how long a local copy may be served after a change was acknowledged
   */
  judge(boundMs: number, mayBeLost: MayBeLost): Judgement {
    const wrong: string[] = []
    let lost = 0
    let stalestMs = 0
    for (const seen of this.#seen) {
      const missed = this.#oldestMissed(seen)
      if (missed === undefined) continue
      const staleMs = seen.beganMs - missed.atMs
      const isAllowed = seen.isLocal && staleMs <= boundMs
      if (isAllowed) stalestMs = Math.max(stalestMs, staleMs)
      else if (mayBeLost(missed.atMs, seen.beganMs)) lost++
      else wrong.push(describe(seen, missed, staleMs))
    }
    return { wrong, lost, stalestMs }
  }

  /** The change that was acknowledged first of those that the read began after and did not see. */
  #oldestMissed({ beganMs, key, version }: SeenVersion): Acknowledged | undefined {
    let oldest: Acknowledged | undefined
    for (const change of this.#acknowledged.get(key) ?? []) {
      if (change.version > version && change.atMs < beganMs && change.atMs < (oldest?.atMs ?? Infinity))
        oldest = change
    }
    return oldest
  }
}

function describe({ isLocal, key, version }: SeenVersion, missed: Acknowledged, staleMs: number): string {
  const how = isLocal ? 'through the local tier' : 'past the local tier'
  return `${key} ${how}: version ${version}, ${staleMs.toFixed(1)} ms after ${missed.version} was acknowledged`
}
