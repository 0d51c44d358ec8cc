import type { Clock, Timers } from '../../foundation/time/clock.ts'
import type { ResolvedEncryption } from '../envelope/encryption.ts'
import { isEncrypted } from '../envelope/envelope.ts'
import { MOST_SHAPES, type Shape, shapeText } from '../msgpack/shape.ts'
import type { Dictionary } from './dictionary.ts'
import type { KnownDictionaries } from './known-dictionaries.ts'
import { openDictionary, sealDictionary } from './sealed-dictionary.ts'
import type { StructureStore } from './structure-store.ts'

/** Shapes that are learned within this time are published together. */
const GATHERING_MS = 10
/** The interval at which a process that writes with the dictionary asserts it in the store. */
const ASSERTION_MS = 30_000
/** The time to live of a dictionary that is not asserted; usually longer than that of the entries written with it. */
const LIFE_MS = 30 * 24 * 60 * 60 * 1_000
/** Other processes may publish at the same time; each attempt merges what they did. */
const MOST_ATTEMPTS = 5
const RETRY_MS = 30_000

/** The parts of a {@link Publisher}. */
export interface PublisherParts {
  readonly store: StructureStore
  readonly encryption: ResolvedEncryption | undefined
  readonly known: KnownDictionaries
  readonly clock: Clock
  readonly timers: Timers
}

/** The last known content of the store. */
interface Stored {
  readonly bytes: Buffer
  /** `undefined` if the bytes are not a dictionary, or one that has to be sealed again. */
  readonly dictionary: Dictionary | undefined
}

/**
 * Appends shapes to the dictionary in the store, and keeps the dictionary alive there. It works in the background, one
 * step at a time and without errors: a failed step is repeated later, and until then values are written as before.
 *
 * Each step is a compare-and-set on the stored bytes. If these are not the expected ones, they win: a dictionary that
 * extends ours replaces it, and one that diverges is extended by our shapes, while ours stays for reading. So processes
 * that learn at the same time arrive at the same list.
 */
export class Publisher {
  readonly #parts: PublisherParts
  /** The shapes that are to be appended, by their text. */
  readonly #pending = new Map<string, Shape>()
  #stored: Stored | undefined
  /** The time from which a use of the dictionary triggers an assertion. */
  #assertFromMs = 0
  #cancel: (() => void) | undefined
  #publishing: Promise<void> | undefined
  #isOpen = false
  #isThere = false

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /** Whether there is no room for another shape. */
  get isFull(): boolean {
    return this.#pending.size >= MOST_SHAPES || this.#parts.known.current.dictionary.isFull
  }

  /** Whether the current dictionary is in the store, as far as is known. */
  get isThere(): boolean {
    return this.#isThere
  }

  /** Appends a shape in the background, if it is new and there is room. */
  learn(shape: Shape): void {
    const { dictionary } = this.#parts.known.current
    if (dictionary.with([shape]) === dictionary) return
    this.#pending.set(shapeText(shape), shape)
    this.#schedule(GATHERING_MS)
  }

  /** A value was written with the dictionary, or would have been if it were in the store. */
  used(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    if (nowMs < this.#assertFromMs) return
    this.#assertFromMs = nowMs + ASSERTION_MS
    this.#schedule(0)
  }

  /** The dictionary is no longer in the store. No value is written with it until the next use has stored it again. */
  removed(): void {
    this.#isThere = false
    this.#assertFromMs = 0
  }

  /**
   * Merges the content of the store.
   * @param bytes `null` if there is none
   * @param found the dictionary in the bytes, if it may be trusted
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

  /** Never rejects. A step in progress ends when the store is closed. */
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
        // Shapes that are learned during one step are appended by the next one.
        if ((await this.#attempt()) && this.#pending.size === 0) return
      }
    } catch {
      // The store cannot be reached, or the key holds another type: a later step tries again.
    }
  }

  /** One step; `true` if the store now has all shapes. */
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
