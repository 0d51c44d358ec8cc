import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { isKeyGeneration } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import type { OwnWrites } from '../keys/own-writes.ts'
import type { LocalTier } from '../local/local-tier.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { EntryJudge } from './entry-judge.ts'
import type { GenerationCheck } from './generation-check.ts'
import type { HeldEntries } from './held-entries.ts'
import { type Judgement, judgementFor, type Wants } from './judgement.ts'
import type { KeyRead } from './key-read.ts'

/** The parts of an {@link EntryReader}. */
export interface ReaderParts {
  readonly tier: SharedTier
  readonly judge: EntryJudge
  readonly check: GenerationCheck
  readonly local: LocalTier
  readonly ownWrites: OwnWrites
  readonly generations: GenerationTable
  /** The values that stay in this process, which are not read from Redis. */
  readonly held: HeldEntries
  readonly clock: Clock
  /** Resolves when the tier is open; `undefined` if it is. */
  readonly opened: () => Promise<void> | undefined
}

/**
 * Reads an entry for one caller, and judges it. The read of the key shares a round trip with reads of the caller's
 * generations that this process does not know. Generations that only the entry names cost one more, the first time.
 */
export class EntryReader {
  readonly #parts: ReaderParts

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  /**
   * @param isPastLag as {@link KeyRead.asked}
   * @throws CacheError if Redis cannot be read
   */
  async read(storedKey: string, wants: Wants, isPastLag = false): Promise<Judgement> {
    const { check, clock, generations, held, judge, local, opened, ownWrites } = this.#parts
    if (isKeyGeneration(storedKey)) return held.read(storedKey, wants, isPastLag)
    // First of all, since a new connection begins an epoch, which invalidates all reads that began before it.
    await opened()
    // A read beside an own write would not be kept (L3).
    const writes = ownWrites.of(storedKey)
    if (writes !== undefined) await writes
    const asked = isPastLag ? check.askAnew(storedKey, wants.generationKeys) : undefined
    const read: KeyRead = { storedKey, askedAt: generations.now, asked }
    local.expect(storedKey, read)
    generations.fetchAll(wants.generationKeys)
    const bytes = await this.#bytes(read)
    return judgementFor(await judge.judge(read, bytes, clock.monotonicMs()), wants)
  }

  async #bytes(read: KeyRead): Promise<Buffer | null> {
    const { local, tier } = this.#parts
    try {
      return await tier.read(read.storedKey)
    } catch (error) {
      local.forget(read.storedKey, read)
      throw error
    }
  }
}
