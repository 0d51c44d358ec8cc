import {
  type CompressionName,
  type Compressor,
  loadCompressor,
  type ResolvedCompression,
} from './compression.ts'

/** Compresses payloads with the configured algorithm, and decompresses those of any algorithm. */
export class PayloadCompressor {
  readonly #options: ResolvedCompression | undefined
  readonly #maxValueBytes: number
  readonly #loaded = new Map<string, Compressor>()
  #own: Compressor | undefined

  /**
   * @param options `undefined` to compress nothing
   * @param maxValueBytes the largest size of a decompressed payload
   */
  constructor(options: ResolvedCompression | undefined, maxValueBytes: number) {
    this.#options = options
    this.#maxValueBytes = maxValueBytes
  }

  /** The id of the configured algorithm, for the header of what {@link compress} returned. */
  get id(): CompressionName {
    return (this.#own as Compressor).id
  }

  /** Loads the configured algorithm. @throws CacheError `CACHE_MISSING_PEER` */
  async prepare(): Promise<void> {
    if (this.#options !== undefined) this.#own = await this.#load(this.#options.algorithm)
  }

  /** The compressed payload; `undefined` if compression is off, the payload is short, or the result is not smaller. */
  compress(payload: string | Uint8Array): Buffer | undefined {
    if (this.#options === undefined || payload.length < this.#options.minBytes) return undefined
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const compressed = (this.#own as Compressor).compress(bytes)
    return compressed.length < bytes.length ? compressed : undefined
  }

  /**
   * The decompressed payload; a promise of it if its algorithm has to be loaded first.
   * @throws any error if the bytes are corrupt or would exceed the largest size
   */
  decompress(id: string, payload: Buffer): Buffer | Promise<Buffer> {
    const compressor = this.#loaded.get(id)
    if (compressor !== undefined) return compressor.decompress(payload, this.#maxValueBytes)
    return this.#load(id as CompressionName).then((loaded) => loaded.decompress(payload, this.#maxValueBytes))
  }

  async #load(name: CompressionName): Promise<Compressor> {
    const loaded = this.#loaded.get(name) ?? (await loadCompressor(name))
    this.#loaded.set(name, loaded)
    return loaded
  }
}
