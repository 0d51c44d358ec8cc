import { LRUCache } from 'lru-cache'
import type { Clock } from '../../foundation/time/clock.ts'
import { STRUCTURES_SECTION_BYTES } from '../envelope/structures-section.ts'

/** The time for which a name that the store did not know is not asked for again. */
const REMEMBERED_MS = 1_000
const MOST_NAMES = 256

/** The dictionary names that the store did not have a moment ago. Many entries of a lost one cause only one read. */
export class UnknownNames {
  readonly #clock: Clock
  readonly #untilMs = new LRUCache<string, number>({ max: MOST_NAMES })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether the name in section 4 at `offset` was unknown a moment ago. */
  has(bytes: Buffer, offset: number): boolean {
    return this.#clock.monotonicMs() < (this.#untilMs.get(nameAt(bytes, offset)) ?? 0)
  }

  add(bytes: Buffer, offset: number): void {
    this.#untilMs.set(nameAt(bytes, offset), this.#clock.monotonicMs() + REMEMBERED_MS)
  }
}

function nameAt(bytes: Buffer, offset: number): string {
  return bytes.toString('latin1', offset, offset + STRUCTURES_SECTION_BYTES)
}
