import { LimitExceeded } from './limits.ts'

/** A map or set with so many members is not counted: they take few steps, whatever their hashes. */
export const UNCOUNTED = 16
/** Smaller ones need not be counted as long as few of them hold numbers: see {@link HashSteps.assume}. */
export const SURELY_COUNTED = 64
/** Steps that a number may take without counting. On average it takes one at most, if nobody has computed it. */
const STEPS_OF_MEMBER = 4
/** Most steps beyond that, in all maps and sets of a value: some ms. 2,000 numbers of one hash take as many. */
const STEPS_OF_VALUE = 2 ** 21

/** V8 keeps two members for each bucket before it makes more of them. */
const MEMBERS_OF_BUCKET = 2
/** V8 doubles the buckets. To make four times as many here takes less time, and counts half of the steps at least. */
const GROWTH = 4
const FEWEST_BUCKETS = 16

/** Memory that is kept for the next value: of so many tables, with so many buckets each. */
const KEPT_TABLES = 4
const KEPT_BUCKETS = 16_384

/**
 * The numbers and bigints among the members of one set, or the keys of one map. It follows how V8 fills its hash table: a
 * member is compared with all that are in its bucket, and there are more buckets as the table grows.
 */
export class TableHashes {
  readonly #steps: HashSteps
  #buckets = new Uint16Array(FEWEST_BUCKETS * GROWTH)
  #mask = 0
  /** How many buckets there are in the end. */
  #mostBuckets = 0
  /** What will move to other buckets. */
  #hashes: number[] = []
  #count = 0
  /** Steps that the members so far were allowed and did not take. */
  #unused = 0

  /** @param members how many there will be, of whatever type */
  constructor(steps: HashSteps, members: number) {
    this.#steps = steps
    this.reset(members)
  }

  /** Begins again, for another map or set. */
  reset(members: number): void {
    this.#mostBuckets = 1 << (31 - Math.clz32(members))
    this.#count = 0
    this.#unused = 0
    let buckets = this.#mostBuckets
    while (buckets >= FEWEST_BUCKETS * GROWTH) buckets /= GROWTH
    this.#empty(buckets)
  }

  get isLarge(): boolean {
    return this.#buckets.length > KEPT_BUCKETS
  }

  /** @throws LimitExceeded if too many numbers share a bucket */
  add(hash: number): void {
    const bucket = hash & this.#mask
    const steps = this.#buckets[bucket] as number
    this.#buckets[bucket] = steps + 1
    this.#unused += STEPS_OF_MEMBER - steps
    if (this.#unused < 0) {
      this.#steps.take(-this.#unused)
      this.#unused = 0
    }
    if (this.#mask + 1 < this.#mostBuckets) this.#keep(hash)
  }

  /** Keeps a hash, and moves all to more buckets when there are too few of those. */
  #keep(hash: number): void {
    this.#hashes[this.#count++] = hash
    const buckets = this.#mask + 1
    if (this.#count < buckets * MEMBERS_OF_BUCKET) return
    this.#empty(buckets * GROWTH)
    for (let at = 0; at < this.#count; at++) {
      const bucket = (this.#hashes[at] as number) & this.#mask
      this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1
    }
  }

  #empty(buckets: number): void {
    this.#mask = buckets - 1
    if (this.#buckets.length < buckets) this.#buckets = new Uint16Array(buckets)
    else this.#buckets.fill(0, 0, buckets)
  }
}

/**
 * Counts the steps that V8 takes to fill the maps and sets of one value. V8 hashes numbers without a seed, and bigints by
 * their lowest 64 bits alone. So one can compute many that share a bucket, and a table of those takes time that grows
 * with the square of its size. (Strings are hashed with a seed, objects by random numbers.)
 */
export class HashSteps {
  /** Of the maps and sets that are being filled, outermost first, and of earlier ones from `#depth` on. */
  #tables: TableHashes[] = []
  #depth = 0
  #left = STEPS_OF_VALUE
  #assumed = 0

  /** Begins again, for another value. */
  reset(): void {
    // Of a value that was refused, tables of any size may be left.
    if (this.#depth > 0) this.#tables = []
    this.#depth = 0
    this.#left = STEPS_OF_VALUE
    this.#assumed = 0
  }

  /** A map or set with so many members begins, within the one that began last. */
  begin(members: number): TableHashes {
    let table = this.#tables[this.#depth]
    if (table === undefined) {
      table = new TableHashes(this, members)
      this.#tables.push(table)
    } else table.reset(members)
    this.#depth++
    return table
  }

  /** The map or set that began last ends. */
  end(): void {
    const table = this.#tables[--this.#depth]
    if (this.#depth >= KEPT_TABLES || table?.isLarge) this.#tables.length = this.#depth
  }

  /** Counts the hashes of a map or set of so many members. */
  count(hashes: readonly number[], members: number): void {
    if (members <= UNCOUNTED) return
    const table = this.begin(members)
    for (const hash of hashes) table.add(hash)
    this.end()
  }

  /** A map or set with so many numbers is not counted. So all of them may have equal hashes. */
  assume(numbers: number): void {
    if (numbers > UNCOUNTED) this.#assumed += numbers * (numbers / 2 - STEPS_OF_MEMBER)
  }

  /** Whether too many steps are possible, because not all maps and sets were counted. */
  get areUnsure(): boolean {
    return this.#assumed > this.#left
  }

  /** @throws LimitExceeded */
  take(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new LimitExceeded('too many numbers with equal hashes in maps and sets')
  }
}
