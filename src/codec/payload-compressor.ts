import {
  type CompressionName,
  type Compressor,
  loadCompressor,
  type ResolvedCompression,
} from './compression.ts'
import { notRead } from './envelope/unreadable.ts'

/** The most times that a payload may grow when it is decompressed. Deflate, the base of gzip, allows not much more. */
const MAX_RATIO = 1_000

/** Compresses payloads with the configured algorithm, and decompresses those of the algorithms that are read. */
export class PayloadCompressor {
  readonly #options: ResolvedCompression | undefined
  readonly #maxValueBytes: number
  readonly #allowed: ReadonlySet<string>
  readonly #loaded = new Map<string, Compressor>()
  #own: Compressor | undefined

  /**
   * @param options `undefined` to compress nothing
   * @param readers algorithms that are used only for reading
   * @param maxValueBytes the largest size of a decompressed payload
   */
  constructor(
    options: ResolvedCompression | undefined,
    readers: readonly CompressionName[],
    maxValueBytes: number,
  ) {
    this.#options = options
    this.#maxValueBytes = maxValueBytes
    this.#allowed = new Set(options === undefined ? readers : [options.algorithm, ...readers])
  }

  /** The id of the configured algorithm, for the header of what {@link compress} returned. */
  get id(): CompressionName {
    return (this.#own as Compressor).id
  }

  /** Loads the configured algorithm. @throws CacheError `CACHE_MISSING_PEER` */
  async prepare(): Promise<void> {
    if (this.#options !== undefined) this.#own = await this.#load(this.#options.algorithm)
  }

  /**
   * The compressed payload; `undefined` if compression is off, the payload is short, the result is not smaller, or so
   * much smaller that it would not be decompressed.
   */
  compress(payload: string | Uint8Array): Buffer | undefined {
    if (this.#options === undefined || payload.length < this.#options.minBytes) return undefined
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const compressed = (this.#own as Compressor).compress(bytes)
    const isWorthIt = compressed.length < bytes.length && bytes.length <= this.#largestFrom(compressed)
    return isWorthIt ? compressed : undefined
  }

  /**
   * The decompressed payload; a promise of it if its algorithm has to be loaded first.
   * @throws CacheError `CACHE_UNDECODABLE` if payloads of this algorithm are not read
   * @throws any error if the bytes are corrupt or would grow too large
   */
  decompress(id: string, payload: Buffer): Buffer | Promise<Buffer> {
    if (!this.#allowed.has(id)) throw notRead(id)
    const largest = this.#largestFrom(payload)
    const compressor = this.#loaded.get(id)
    if (compressor !== undefined) return compressor.decompress(payload, largest)
    return this.#load(id as CompressionName).then((loaded) => loaded.decompress(payload, largest))
  }

  /** The most bytes that a compressed payload may become. */
  #largestFrom(compressed: Uint8Array): number {
    return Math.min(this.#maxValueBytes, MAX_RATIO * compressed.length)
  }

  async #load(name: CompressionName): Promise<Compressor> {
    const loaded = this.#loaded.get(name) ?? (await loadCompressor(name))
    this.#loaded.set(name, loaded)
    return loaded
  }
}
