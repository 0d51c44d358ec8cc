import { createHash } from 'node:crypto'
import { DIGEST_BYTES, type StructuresName } from '../envelope/structures-section.ts'
import { isShape, MOST_SHAPES, type Shape, shapeText } from '../msgpack/shape.ts'

/** Where no more than this is left of a dictionary, nothing is learned any more. */
const SMALL_SHAPE_BYTES = 64
/** Most bytes of a dictionary as text. */
export const MOST_DICTIONARY_BYTES: number = 64 * 1024

/**
 * An append-only list of shapes. The id of a record is the place of its shape, so a dictionary reads whatever one that
 * it extends has written.
 *
 * It is named by what it holds: the digest of `n` shapes is the first 16 bytes of SHA-256 over the digest of the first
 * `n - 1` (zeros for none) and the `n`-th as JSON text. A digest for each length is kept, so that a reader can tell
 * whether an entry was written with a beginning of what it has.
 */
export class Dictionary {
  static readonly EMPTY: Dictionary = new Dictionary([], new Set(), Buffer.alloc(0), 1)

  readonly shapes: readonly Shape[]
  readonly #texts: ReadonlySet<string>
  /** Of the first shape, of the first two, and so on. */
  readonly #digests: Buffer
  readonly #bytes: number
  #name: StructuresName | undefined

  private constructor(shapes: readonly Shape[], texts: ReadonlySet<string>, digests: Buffer, bytes: number) {
    this.shapes = shapes
    this.#texts = texts
    this.#digests = digests
    this.#bytes = bytes
  }

  /** What {@link toText} made; `undefined` where the text is no such list, or passes a limit. */
  static parse(text: string): Dictionary | undefined {
    const shapes: unknown = JSON.parse(text)
    if (!Array.isArray(shapes) || !shapes.every(isShape)) return undefined
    const dictionary = Dictionary.EMPTY.with(shapes)
    return dictionary.size === shapes.length ? dictionary : undefined
  }

  get size(): number {
    return this.shapes.length
  }

  /** What an entry says that was written with all of it; `undefined` where it is empty. */
  get name(): StructuresName | undefined {
    if (this.size > 0) this.#name ??= { count: this.size, digest: this.#digestOf(this.size) }
    return this.#name
  }

  /** Whether hardly any other shape fits in. */
  get isFull(): boolean {
    return this.size >= MOST_SHAPES || this.#bytes + SMALL_SHAPE_BYTES > MOST_DICTIONARY_BYTES
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  /** Whether its first `count` shapes have the digest that stands in `bytes` at `offset`. */
  isNamed(count: number, bytes: Buffer, offset: number): boolean {
    if (count === 0 || count > this.size) return false
    // A loop over sixteen bytes costs a fifth of a call to `compare`.
    const from = (count - 1) * DIGEST_BYTES
    for (let index = 0; index < DIGEST_BYTES; index++) {
      if (this.#digests[from + index] !== bytes[offset + index]) return false
    }
    return true
  }

  /** Whether it begins with all of the other's shapes. */
  extends(other: Dictionary): boolean {
    return other.name === undefined || this.isNamed(other.size, other.name.digest, 0)
  }

  /** A dictionary that extends this one by those shapes that it lacks and that fit in. */
  with(added: Iterable<Shape>): Dictionary {
    const shapes = [...this.shapes]
    const texts = new Set(this.#texts)
    const digests = [this.#digests]
    let digest = this.name?.digest ?? Buffer.alloc(DIGEST_BYTES)
    let bytes = this.#bytes
    for (const shape of added) {
      const text = shapeText(shape)
      const textBytes = Buffer.byteLength(text) + 1
      if (texts.has(text) || shapes.length >= MOST_SHAPES || bytes + textBytes > MOST_DICTIONARY_BYTES)
        continue
      digest = createHash('sha256').update(digest).update(text).digest().subarray(0, DIGEST_BYTES)
      shapes.push(Object.freeze([...shape]))
      texts.add(text)
      digests.push(digest)
      bytes += textBytes
    }
    return shapes.length === this.size ? this : new Dictionary(shapes, texts, Buffer.concat(digests), bytes)
  }

  /** As JSON: an array of arrays of names. */
  toText(): string {
    return JSON.stringify(this.shapes)
  }

  #digestOf(count: number): Buffer {
    return this.#digests.subarray((count - 1) * DIGEST_BYTES, count * DIGEST_BYTES)
  }
}
