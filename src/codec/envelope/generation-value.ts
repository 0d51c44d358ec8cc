import { crc32 } from 'node:zlib'
import { GENERATION_BYTES } from './entry-meta.ts'

/**
 * The value under the key of a generation. Its first 16 bytes are the **generation** that entries are bound to:
 *
 * ```
 * time       8 bytes  when it was last renewed: seconds and microseconds of the server's clock (unsigned, big-endian)
 * identity   8 bytes  random
 * ```
 *
 * An invalidation draws another identity, so entries with the one before are invalid. An **expiry** keeps the identity and
 * renews the time: entries with an earlier time are valid, and stale. More follows after an expiry, and after an
 * invalidation whose caller has given a cause:
 *
 * ```
 * series     8 bytes  when the first expiry of the present series was made; zeros after an invalidation
 *            8 bytes  the time before that; what is bound to an earlier one was stale before the series
 *            4 bytes  over how many milliseconds each expiry is spread
 * cause     32 bytes  the name of the process, in UTF-8, filled up with zeros
 *           64 bytes  what the caller said: `by`
 * ```
 *
 * A **series** is a row of expiries, each at most a minute, or the time they are spread over, after the one before. So
 * a tag that is expired every second needs no list of all these moments to tell when an entry became stale.
 */
export interface GenerationValue {
  /** What entries are bound to: sixteen bytes as `latin1` text. */
  readonly generation: string
  /** Times in microseconds of the server's clock. */
  readonly timeUs: number
  /** The series of expiries that the last renewal belongs to; `undefined` if it was an invalidation. */
  readonly series: ExpirySeries | undefined
  readonly cause: Cause | undefined
}

/** A series of expiries; times in microseconds of the server's clock. */
interface ExpirySeries {
  readonly startUs: number
  readonly beforeUs: number
  readonly overMs: number
}

/** Who has invalidated something, and what for. */
interface Cause {
  readonly process: string
  readonly by: string
}

const IDENTITY_OFFSET = 8
const SERIES_OFFSET = GENERATION_BYTES
const PROCESS_OFFSET = SERIES_OFFSET + 20
export const PROCESS_BYTES = 32
export const BY_BYTES = 64
const BY_OFFSET = PROCESS_OFFSET + PROCESS_BYTES
const CAUSE_BYTES = PROCESS_BYTES + BY_BYTES
const LONG_VALUE_BYTES: number = BY_OFFSET + BY_BYTES
/** The shortest pause after which an expiry begins another series; `bump-generation.lua` has the same. */
const SERIES_PAUSE_US = 60_000_000

/** Whether these are bytes that may be the value of a generation. */
function isGenerationValue(bytes: unknown): bytes is Buffer {
  return Buffer.isBuffer(bytes) && (bytes.length === GENERATION_BYTES || bytes.length === LONG_VALUE_BYTES)
}

/** `undefined` if the bytes are no generation. */
export function readGenerationValue(bytes: Buffer | null | undefined): GenerationValue | undefined {
  if (!isGenerationValue(bytes)) return undefined
  const generation = bytes.toString('latin1', 0, GENERATION_BYTES)
  const timeUs = readTime(bytes, 0)
  if (bytes.length === GENERATION_BYTES) return { generation, timeUs, series: undefined, cause: undefined }
  const startUs = readTime(bytes, SERIES_OFFSET)
  const by = paddedText(bytes, BY_OFFSET, BY_BYTES)
  return {
    ...{ generation, timeUs },
    series:
      startUs === 0
        ? undefined
        : {
            startUs,
            beforeUs: readTime(bytes, SERIES_OFFSET + 8),
            overMs: bytes.readUInt32BE(SERIES_OFFSET + 16),
          },
    cause: by === '' ? undefined : { process: paddedText(bytes, PROCESS_OFFSET, PROCESS_BYTES), by },
  }
}

/** The value of a generation that was not there before. @param identity eight random bytes as `latin1` text */
export function newGenerationValue(nowUs: number, identity: string): Buffer {
  const value = Buffer.alloc(GENERATION_BYTES)
  writeTime(value, 0, nowUs)
  value.write(identity, IDENTITY_OFFSET, 'latin1')
  return value
}

/** Does what `bump-generation.lua` does with the value. @param identity eight random bytes as `latin1` text */
export function renewedGenerationValue(
  current: Buffer | undefined,
  { cause, staleOverMs }: { readonly cause?: Buffer | undefined; readonly staleOverMs?: number | undefined },
  nowUs: number,
  identity: string,
): Buffer {
  const before = staleOverMs === undefined ? undefined : readGenerationValue(current)
  const timeUs = before === undefined ? nowUs : Math.max(nowUs, before.timeUs + 1)
  const series = before && seriesAfter(before, timeUs, staleOverMs ?? 0)
  const kept = before?.generation.slice(IDENTITY_OFFSET) ?? identity
  const value = newGenerationValue(timeUs, kept)
  if (series === undefined && cause === undefined) return value
  const rest = Buffer.alloc(PROCESS_OFFSET - SERIES_OFFSET)
  if (series !== undefined) {
    writeTime(rest, 0, series.startUs)
    writeTime(rest, 8, series.beforeUs)
    rest.writeUInt32BE(series.overMs, 16)
  }
  return Buffer.concat([value, rest, cause ?? Buffer.alloc(CAUSE_BYTES)])
}

function seriesAfter(before: GenerationValue, timeUs: number, overMs: number): ExpirySeries {
  const { series } = before
  if (series !== undefined && timeUs - before.timeUs <= Math.max(series.overMs * 1_000, SERIES_PAUSE_US)) {
    return { ...series, overMs: Math.min(series.overMs, overMs) }
  }
  return { startUs: timeUs, beforeUs: before.timeUs, overMs }
}

/** A cause as it lies in a value: 96 bytes. */
export function causeBytes({ by, process }: Cause): Buffer {
  const bytes = Buffer.alloc(CAUSE_BYTES)
  bytes.write(process, 0, PROCESS_BYTES)
  bytes.write(by, PROCESS_BYTES, BY_BYTES)
  return bytes
}

/** Whether `generation` is this one before an expiry. */
export function isExpired(
  { generation: current, series, timeUs }: GenerationValue,
  generation: string,
): boolean {
  if (series === undefined || current.slice(IDENTITY_OFFSET) !== generation.slice(IDENTITY_OFFSET))
    return false
  return timeOf(generation) < timeUs
}

/**
 * The moment from which an entry under this key is stale that is bound to an expired generation, in milliseconds of the
 * server's clock. Never later than the expiry that concerned it first, and the time that was spread over; where many
 * expiries have come since, it may be earlier, by the pause between two of them.
 * @param generation which {@link isExpired}
 */
export function staleFromMs({ series }: GenerationValue, generation: string, storedKey: string): number {
  const boundUs = timeOf(generation)
  if (series === undefined || boundUs < series.beforeUs) return boundUs / 1_000
  return Math.max(boundUs, series.startUs) / 1_000 + series.overMs * shareOf(storedKey)
}

/** From 0 to 1, the same for a key in every process. */
function shareOf(storedKey: string): number {
  return crc32(storedKey) / 2 ** 32
}

function timeOf(generation: string): number {
  return readTime(Buffer.from(generation, 'latin1'), 0)
}

function readTime(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 1_000_000 + bytes.readUInt32BE(offset + 4)
}

function writeTime(bytes: Buffer, offset: number, timeUs: number): void {
  bytes.writeUInt32BE(Math.floor(timeUs / 1_000_000), offset)
  bytes.writeUInt32BE(timeUs % 1_000_000, offset + 4)
}

function paddedText(bytes: Buffer, offset: number, length: number): string {
  const field = bytes.subarray(offset, offset + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}
