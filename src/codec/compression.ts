import zlib from 'node:zlib'
import { CacheError } from '../foundation/errors/cache-error.ts'
import { assertPeerInstalled, missingPeer } from '../foundation/errors/optional-peer.ts'

/**
 * The compression algorithms. `gzip` and `brotli` come with Node, `zstd` with Node 22.15 and later; `lz4` and `snappy`
 * need the packages `lz4-napi` and `snappy`. Measured on JSON of 10 KB, lz4 and snappy take a quarter of the time of
 * gzip, and zstd and brotli halve its output.
 */
export type CompressionName = 'gzip' | 'brotli' | 'zstd' | 'lz4' | 'snappy'

const NAMES: readonly unknown[] = ['gzip', 'brotli', 'zstd', 'lz4', 'snappy'] satisfies CompressionName[]

export function isCompressionName(name: unknown): name is CompressionName {
  return NAMES.includes(name)
}

/** Options of compression: payloads from a minimum size on are compressed, if that makes them smaller. */
export interface CompressionOptions {
  readonly algorithm: CompressionName
  /**
   * Payloads with fewer bytes are not compressed.
   * @default 2048
   */
  readonly minBytes?: number | undefined
}

/** {@link CompressionOptions}, resolved. */
export interface ResolvedCompression {
  readonly algorithm: CompressionName
  readonly minBytes: number
}

/**
 * A loaded algorithm. Both directions are synchronous: if a `set` compressed in the background, the next `set` of the
 * same key could overtake it.
 */
export interface Compressor {
  readonly id: CompressionName
  compress(bytes: Uint8Array): Buffer
  /** @throws any error if the bytes are corrupt, or would grow beyond `maxBytes` */
  decompress(bytes: Buffer, maxBytes: number): Buffer
}

/** The packages that two of the algorithms need, and what for. */
const LZ4 = ['lz4-napi', 'lz4 compression'] as const
const SNAPPY = ['snappy', 'snappy compression'] as const

/** @throws CacheError `CACHE_MISSING_PEER` if the package is surely not installed, or Node is too old */
export function assertCompressionAvailable(name: CompressionName): void {
  if (name === 'zstd') zstd()
  if (name === 'lz4') assertPeerInstalled(...LZ4)
  if (name === 'snappy') assertPeerInstalled(...SNAPPY)
}

/** @throws CacheError `CACHE_MISSING_PEER` if the package is not installed, or Node is too old */
export async function loadCompressor(name: CompressionName): Promise<Compressor> {
  switch (name) {
    case 'gzip':
      return GZIP
    case 'brotli':
      return BROTLI
    case 'zstd':
      return zstd()
    case 'lz4': {
      const lz4 = await loadLz4()
      return prefixed('lz4', lz4.compressSync, lz4.uncompressSync, (bytes) => bytes.readUInt32LE(0))
    }
    case 'snappy': {
      const snappy = await loadSnappy()
      return prefixed(
        'snappy',
        (bytes) => snappy.compressSync(bytes),
        (bytes) => snappy.uncompressSync(bytes, { asBuffer: true }) as Buffer,
        readVarint,
      )
    }
  }
}

async function loadLz4(): Promise<typeof import('lz4-napi')> {
  try {
    return await import(/* webpackIgnore: true */ 'lz4-napi')
  } catch (cause) {
    throw missingPeer(...LZ4, cause)
  }
}

async function loadSnappy(): Promise<typeof import('snappy')> {
  try {
    return await import(/* webpackIgnore: true */ 'snappy')
  } catch (cause) {
    throw missingPeer(...SNAPPY, cause)
  }
}

/** The fastest level, since a cache compresses on the request path. */
const GZIP: Compressor = {
  id: 'gzip',
  compress: (bytes) => zlib.gzipSync(bytes, { level: 1 }),
  decompress: (bytes, maxBytes) => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes }),
}

const BROTLI: Compressor = {
  id: 'brotli',
  compress: (bytes) =>
    zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
  decompress: (bytes, maxBytes) => zlib.brotliDecompressSync(bytes, { maxOutputLength: maxBytes }),
}

/** The functions that `node:zlib` has from 22.15 on, which the type definitions of Node 20 lack. */
interface ZstdFunctions {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Buffer
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer
}

function zstd(): Compressor {
  const { zstdCompressSync, zstdDecompressSync } = zlib as ZstdFunctions
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) {
    throw new CacheError(
      'CACHE_MISSING_PEER',
      `zstd compression needs Node 22.15 or later, this is ${process.version}`,
    )
  }
  return {
    id: 'zstd',
    compress: (bytes) => zstdCompressSync(bytes),
    decompress: (bytes, maxBytes) => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }),
  }
}

/**
 * An algorithm whose output begins with the size of its input, so that a bomb is refused before memory is allocated.
 */
function prefixed(
  id: CompressionName,
  compress: (bytes: Buffer) => Buffer,
  uncompress: (bytes: Buffer) => Buffer,
  readSize: (bytes: Buffer) => number,
): Compressor {
  return {
    id,
    compress: (bytes) => compress(asBuffer(bytes)),
    decompress(bytes, maxBytes) {
      const size = readSize(bytes)
      if (size > maxBytes) throw new RangeError(`would decompress to ${size} bytes, more than ${maxBytes}`)
      const uncompressed = uncompress(bytes)
      if (uncompressed.length !== size) throw new RangeError('the size prefix is wrong')
      return uncompressed
    },
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The size prefix of snappy: seven bits per byte, the least significant first, at most 32 bits. */
function readVarint(bytes: Buffer): number {
  let size = 0
  for (let index = 0; index < 5; index++) {
    const byte = bytes.readUInt8(index)
    size += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return size
  }
  throw new RangeError('the size prefix is malformed')
}
