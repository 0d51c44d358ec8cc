import { createHash } from 'node:crypto'
import { DIGEST_BYTES, type StructuresName } from '../envelope/structures-section.ts'
import { isShape, MOST_SHAPES, type Shape, shapeText } from '../msgpack/shape.ts'

/** A dictionary with less room than this learns nothing more. */
const SMALL_SHAPE_BYTES = 64
/** The largest size of a dictionary as text, in bytes. */
export const MOST_DICTIONARY_BYTES: number = 64 * 1024

/**
 * An append-only list of shapes. The id of a record is the index of its shape, so a dictionary reads everything that
 * was written with one that it extends.
 *
 * Its name depends on its content: the digest of `n` shapes is the first 16 bytes of SHA-256 over the digest of the
 * first `n - 1` (zeros for none) and the `n`-th as JSON text. It keeps a digest for each length, so that a reader knows
 * whether an entry was written with a prefix of the dictionary.
 */
export class Dictionary {
  static readonly EMPTY: Dictionary = new Dictionary([], new Set(), Buffer.alloc(0), 1)

  readonly shapes: readonly Shape[]
  readonly #texts: ReadonlySet<string>
  /** The digest of the first shape, of the first two, and so on. */
  readonly #digests: Buffer
  readonly #bytes: number
  #name: StructuresName | undefined

  private constructor(shapes: readonly Shape[], texts: ReadonlySet<string>, digests: Buffer, bytes: number) {
    this.shapes = shapes
    this.#texts = texts
    this.#digests = digests
    this.#bytes = bytes
  }

  /** The inverse of {@link toText}; `undefined` if the text is not such a list, or exceeds a limit. */
  static parse(text: string): Dictionary | undefined {
    const shapes: unknown = JSON.parse(text)
    if (!Array.isArray(shapes) || !shapes.every(isShape)) return undefined
    const dictionary = Dictionary.EMPTY.with(shapes)
    return dictionary.size === shapes.length ? dictionary : undefined
  }

  get size(): number {
    return this.shapes.length
  }

  /** The name in an entry that was written with the whole dictionary; `undefined` if it is empty. */
  get name(): StructuresName | undefined {
    if (this.size > 0) this.#name ??= { count: this.size, digest: this.#digestOf(this.size) }
    return this.#name
  }

  /** Whether there is hardly room for another shape. */
  get isFull(): boolean {
    return this.size >= MOST_SHAPES || this.#bytes + SMALL_SHAPE_BYTES > MOST_DICTIONARY_BYTES
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  /** Whether its first `count` shapes have the digest in `bytes` at `offset`. */
  isNamed(count: number, bytes: Buffer, offset: number): boolean {
    if (count === 0 || count > this.size) return false
    // A loop over sixteen bytes takes a fifth of the time of a call to `compare`.
    const from = (count - 1) * DIGEST_BYTES
    for (let index = 0; index < DIGEST_BYTES; index++) {
      if (this.#digests[from + index] !== bytes[offset + index]) return false
    }
    return true
  }

  /** Whether it begins with all shapes of the other dictionary. */
  extends(other: Dictionary): boolean {
    return other.name === undefined || this.isNamed(other.size, other.name.digest, 0)
  }

  /** A dictionary that extends this one by the given shapes, as far as they are new and there is room. */
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
