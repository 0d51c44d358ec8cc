import type { Clock, Timers } from '../../foundation/clock.ts'
import type { ResolvedEncryption } from '../envelope/encryption.ts'
import { isEncrypted } from '../envelope/envelope.ts'
import { MOST_SHAPES, type Shape, shapeText } from '../msgpack/shape.ts'
import type { Dictionary } from './dictionary.ts'
import type { KnownDictionaries } from './known-dictionaries.ts'
import { openDictionary, sealDictionary } from './sealed-dictionary.ts'
import type { StructureStore } from './structure-store.ts'

/** What is learned within this time is published together. */
const GATHERING_MS = 10
/** How often a process that writes with the dictionary makes sure that it is still there. */
const ASSERTION_MS = 30_000
/** How long a dictionary stays that nobody asserts: longer than what was written with it, as a rule. */
const LIFE_MS = 30 * 24 * 60 * 60 * 1_000
/** Others may publish at the same time; each attempt takes in what they did. */
const MOST_ATTEMPTS = 5
const RETRY_MS = 30_000

/** What a {@link Publisher} is made of. */
export interface PublisherParts {
  readonly store: StructureStore
  readonly encryption: ResolvedEncryption | undefined
  readonly known: KnownDictionaries
  readonly clock: Clock
  readonly timers: Timers
}

/** What is known to lie in the store. */
interface Stored {
  readonly bytes: Buffer
  /** `undefined` where the bytes are no dictionary that may stay as it is. */
  readonly dictionary: Dictionary | undefined
}

/**
 * Appends shapes to the dictionary in the store, and sees to it that it stays there. In the background, one step at a
 * time, silently: whatever fails is tried again later, and until then values are written as they were before.
 *
 * Each step is a compare-and-set on the bytes that lie there. Where they are others than expected, they win: a
 * dictionary that extends ours is taken over; to one that went another way our shapes are appended, and ours remains
 * for reading. So processes that learn at the same time arrive at the same list.
 */
export class Publisher {
  readonly #parts: PublisherParts
  /** Shapes to be appended, by their text. */
  readonly #pending = new Map<string, Shape>()
  #stored: Stored | undefined
  /** From when on a use of the dictionary asks for its assertion. */
  #assertFromMs = 0
  #cancel: (() => void) | undefined
  #publishing: Promise<void> | undefined
  #isOpen = false
  #isThere = false

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /** Whether nothing can be learned any more. */
  get isFull(): boolean {
    return this.#pending.size >= MOST_SHAPES || this.#parts.known.current.dictionary.isFull
  }

  /** Whether the dictionary at hand lies in the store, as far as is known. */
  get isThere(): boolean {
    return this.#isThere
  }

  /** Has a shape appended, if it is new and fits in. */
  learn(shape: Shape): void {
    const { dictionary } = this.#parts.known.current
    if (dictionary.with([shape]) === dictionary) return
    this.#pending.set(shapeText(shape), shape)
    this.#schedule(GATHERING_MS)
  }

  /** The dictionary was written with, or would have been if it were there. */
  used(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    if (nowMs < this.#assertFromMs) return
    this.#assertFromMs = nowMs + ASSERTION_MS
    this.#schedule(0)
  }

  /** It is not there any more: nothing is to be written with it until it is, and the next use brings it back. */
  removed(): void {
    this.#isThere = false
    this.#assertFromMs = 0
  }

  /**
   * Takes in what was read from the store.
   * @param bytes `null` where nothing lies there
   * @param found the dictionary in them, if it may be trusted
   */
  met(bytes: Buffer | null, found: Dictionary | undefined): void {
    const { encryption, known } = this.#parts
    const isSealedAsOurs = bytes !== null && isEncrypted(bytes) === (encryption !== undefined)
    this.#stored = bytes === null ? undefined : { bytes, dictionary: isSealedAsOurs ? found : undefined }
    if (found === undefined) {
      this.removed()
      return
    }
    const ours = known.current.dictionary
    known.meet(found)
    this.#isThere = true
    if (found.extends(ours)) return
    if (ours.extends(found)) {
      this.removed()
      return
    }
    for (const shape of ours.shapes) {
      if (!found.has(shapeText(shape))) this.learn(shape)
    }
  }

  /** The store is open. */
  start(): void {
    this.#isOpen = true
    this.#assertFromMs = 0
    if (this.#pending.size > 0) this.#schedule(GATHERING_MS)
  }

  /** Never rejects. What is under way ends when the store is closed. */
  async stop(): Promise<void> {
    this.#isOpen = false
    this.#cancel?.()
    this.#cancel = undefined
    await this.#publishing
  }

  #schedule(delayMs: number): void {
    if (!this.#isOpen || this.#cancel !== undefined || this.#publishing !== undefined) return
    this.#cancel = this.#parts.timers.after(delayMs, () => {
      this.#cancel = undefined
      this.#publishing = this.#publish().finally(() => {
        this.#publishing = undefined
        if (this.#pending.size > 0) this.#schedule(RETRY_MS)
      })
    })
  }

  async #publish(): Promise<void> {
    try {
      for (let attempts = 0; attempts < MOST_ATTEMPTS && this.#isOpen; attempts++) {
        // What was learned during one step is appended by the next.
        if ((await this.#attempt()) && this.#pending.size === 0) return
      }
    } catch {
      // The store is away, or holds another type there: it is tried again later.
    }
  }

  /** Whether what is to be there is there. */
  async #attempt(): Promise<boolean> {
    const { clock, encryption, known, store } = this.#parts
    const offered = [...this.#pending]
    const wanted = known.current.dictionary.with(this.#pending.values())
    if (wanted.size === 0) {
      this.#pending.clear()
      return true
    }
    const isThere = this.#stored?.dictionary?.extends(wanted) ?? false
    const bytes = isThere
      ? (this.#stored as Stored).bytes
      : sealDictionary(store.storedKey, wanted, encryption)
    const there = await store.replace(this.#stored?.bytes ?? null, bytes, LIFE_MS)
    if (there !== null) {
      this.met(there, openDictionary(store.storedKey, there, encryption))
      return false
    }
    this.#stored = { bytes, dictionary: wanted }
    known.meet(wanted)
    this.#isThere = true
    for (const [text] of offered) this.#pending.delete(text)
    this.#assertFromMs = clock.monotonicMs() + ASSERTION_MS
    return true
  }
}
