import { createHash } from 'node:crypto'
import { COPY_SUFFIX_BYTES } from '../../foundation/reserved-keys.ts'
import { unreadable } from './unreadable.ts'

/**
 * The metadata of a cache entry: the sections `entry` and `generations` of an envelope.
 *
 * ```
 * lease        16 bytes  token; zeros while nobody refreshes the entry     ┐ scripts write these in place,
 *              14 bytes  its deadline: milliseconds as decimal digits      ┘ so no checksum covers them
 * freshness     8 bytes  stamp, unique to this write of the entry
 *              40 bytes  five doubles, big-endian: created at, time to live, stale-while-revalidate,
 *                        stale-if-error, load cost; all in milliseconds, the first on the server's clock
 * generations  a count (16 bits), then for each: length of its key (16 bits), the key, its 16 bytes
 * ```
 *
 * A **placeholder** is stored under a key while its first value is being loaded: the byte `0x02`, the version, zeros up
 * to byte 12, and a lease at the same offset as in an entry. A reader treats it as an absent key.
 *
 * The last byte of a token counts the **fruitless** loads just before this lease: those in a row that brought no value.
 * After such a load, the key holds a lease of nobody for a second, which keeps the count.
 *
 * A lease of nobody that has a deadline is a **pause**: the last load has failed, and is not to be tried again before. A
 * placeholder with one has the whole length of the pause in bytes 2 to 11: milliseconds as decimal digits.
 */
export interface EntryMeta {
  /** Eight bytes as `latin1` text that identify this write of the entry. */
  readonly stamp: string
  /** The time at which the load of the value began, on the server's clock. */
  readonly createdAtMs: number
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** The duration of the loader. */
  readonly loadCostMs: number
  /** The generations that the entry depends on. It is valid only while each is still the current one. */
  readonly generations: readonly BoundGeneration[]
}

/** The metadata in the section `entry` alone. */
export type EntryFacts = Omit<EntryMeta, 'generations'>

/** A generation that an entry was bound to. */
export interface BoundGeneration {
  /** The stored key of the generation. */
  readonly storedKey: string
  /** Sixteen bytes as `latin1` text. */
  readonly generation: string
}

const LEASE_OFFSET = 12
const TOKEN_BYTES = 16
const DEADLINE_BYTES = 14
const PAUSE_DIGITS = 10
export const LEASE_BYTES: number = TOKEN_BYTES + DEADLINE_BYTES
const STAMP_OFFSET = LEASE_OFFSET + LEASE_BYTES
const STAMP_BYTES = 8
const TIMES_OFFSET = STAMP_OFFSET + STAMP_BYTES
/** The size of the section `entry`, which comes first. */
export const ENTRY_SECTION_BYTES: number = LEASE_BYTES + STAMP_BYTES + 5 * 8
export const GENERATION_BYTES = 16
/** The most generations that an entry is bound to: those of 64 tags, and of a namespace in 15 others. */
export const MOST_GENERATIONS = 80
/** A header of 64 KiB has room for so many bytes of generations, whatever other sections it has. */
export const MOST_GENERATIONS_BYTES: number = 63 * 1_024
const PLACEHOLDER_MARK = 0x02
/** The highest count of fruitless loads; the next one is 1 again. */
const MOST_FRUITLESS = 255
/** The token of a lease that nobody holds. */
export const NO_TOKEN: string = '\u0000'.repeat(TOKEN_BYTES)

/** The token with this count of fruitless loads. */
export function tokenAfter(token: string, fruitlessLoads: number): string {
  return token.slice(0, TOKEN_BYTES - 1) + String.fromCharCode(fruitlessLoads)
}

/** The number of fruitless loads in a row that a token counts. */
export function fruitlessLoadsIn(token: string): number {
  return token.charCodeAt(TOKEN_BYTES - 1)
}

/** The token of nobody's lease after the load under this token was fruitless as well. */
export function tokenOfFruitless(token: string): string {
  return tokenAfter(NO_TOKEN, (fruitlessLoadsIn(token) % MOST_FRUITLESS) + 1)
}

/** Whether the bytes are a placeholder. */
export function isPlaceholder(bytes: Buffer): boolean {
  return bytes[0] === PLACEHOLDER_MARK && bytes.length === STAMP_OFFSET
}

/**
 * The bytes of a placeholder.
 * @param pauseMs the whole length of the pause that it stands for, if it does
 */
export function placeholder(token: string, deadlineMs: number, pauseMs = 0): Buffer {
  const bytes = Buffer.alloc(STAMP_OFFSET)
  bytes[0] = PLACEHOLDER_MARK
  bytes[1] = 1
  if (pauseMs > 0) bytes.write(String(pauseMs).padStart(PAUSE_DIGITS, '0'), 2, 'latin1')
  writeLease(bytes, token, deadlineMs)
  return bytes
}

/** The token of the lease in a placeholder or an entry, and its deadline on the server's clock. */
export function readLease(bytes: Buffer): { readonly token: string; readonly deadlineMs: number } {
  const token = bytes.toString('latin1', LEASE_OFFSET, LEASE_OFFSET + TOKEN_BYTES)
  const deadlineMs = Number(bytes.toString('latin1', LEASE_OFFSET + TOKEN_BYTES, STAMP_OFFSET))
  return { token, deadlineMs: Number.isNaN(deadlineMs) ? 0 : deadlineMs }
}

/** The deadline of the lease, or of the pause, in an entry, on the server's clock; 0 if there is none. */
export function leaseDeadlineMs(bytes: Buffer): number {
  const isFree = bytes[LEASE_OFFSET + TOKEN_BYTES] === 0
  return isFree ? 0 : readLease(bytes).deadlineMs
}

/** Whether a lease is nobody's. If it has a deadline, it is a pause. */
export function isNobodys(token: string): boolean {
  return tokenAfter(token, 0) === NO_TOKEN
}

/** The whole length of the pause that a placeholder stands for; 0 for anything else, or if it is unknown. */
export function pauseIn(bytes: Buffer | undefined): number {
  if (bytes === undefined || !isPlaceholder(bytes)) return 0
  return Number(bytes.toString('latin1', 2, 2 + PAUSE_DIGITS)) || 0
}

/** Writes a lease in place. */
function writeLease(bytes: Buffer, token: string, deadlineMs: number): void {
  bytes.write(token, LEASE_OFFSET, 'latin1')
  bytes.write(
    String(Math.floor(deadlineMs)).padStart(DEADLINE_BYTES, '0'),
    LEASE_OFFSET + TOKEN_BYTES,
    'latin1',
  )
}

/** A copy of a placeholder or an entry with another lease. */
export function withLease(bytes: Buffer, token: string, deadlineMs: number): Buffer {
  const copy = Buffer.from(bytes)
  writeLease(copy, token, deadlineMs)
  return copy
}

/** Whether the bytes contain a lease: a placeholder, or an envelope with the section `entry`. */
export function hasLease(bytes: Buffer): boolean {
  return isPlaceholder(bytes) || isEntry(bytes)
}

/** The text that identifies a write: the stamp of an entry, or a digest of any other bytes. */
export function stampIn(bytes: Buffer): string {
  return isEntry(bytes)
    ? bytes.toString('latin1', STAMP_OFFSET, STAMP_OFFSET + STAMP_BYTES)
    : createHash('sha1').update(bytes).digest('hex')
}

/** Whether {@link stampIn} has found the stamp of an entry. */
export function isEntryStamp(stamp: string): boolean {
  return stamp.length === STAMP_BYTES
}

/**
 * Whether the bytes claim to be a cache entry: an envelope of version 1 with the sections 1 and 2. The scripts check
 * the same bytes. The checksum is not verified.
 */
export function isEntry(bytes: Buffer): boolean {
  return (
    bytes[0] === 1 &&
    bytes[1] === 1 &&
    bytes.length >= STAMP_OFFSET + STAMP_BYTES &&
    ((bytes[7] as number) & 0b110) === 0b110
  )
}

/** The header of an entry: all but its payload. */
export function entryHead(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.readUInt16BE(4))
}

/** The generation under this key, or a copy of it, that an entry is bound to. `reclaim-keys.lua` finds it in the same way. */
export function boundGeneration(bytes: Buffer, generationKey: string): string | undefined {
  if (!isEntry(bytes)) return undefined
  const head = entryHead(bytes)
  return generationNamed(head, generationKey, 0) ?? generationNamed(head, generationKey, COPY_SUFFIX_BYTES)
}

function generationNamed(head: Buffer, generationKey: string, suffixBytes: number): string | undefined {
  const key = Buffer.from(generationKey)
  const keyBytes = key.length + suffixBytes
  const at = head.indexOf(Buffer.concat([Buffer.of(keyBytes >> 8, keyBytes & 0xff), key]))
  const start = at + 2 + keyBytes
  return at < 0 ? undefined : head.toString('latin1', start, start + GENERATION_BYTES)
}

/** The size of the section `generations` in bytes. */
export function generationsBytes({ generations }: Pick<EntryMeta, 'generations'>): number {
  let bytes = 2
  for (const { storedKey } of generations) bytes += 2 + Buffer.byteLength(storedKey) + GENERATION_BYTES
  return bytes
}

/** Writes the section `entry` at `offset`, with a lease that nobody holds. */
export function writeEntrySection(target: Buffer, offset: number, meta: EntryMeta): void {
  target.fill(0, offset, offset + LEASE_BYTES)
  target.write(meta.stamp, offset + LEASE_BYTES, 'latin1')
  let at = offset + LEASE_BYTES + STAMP_BYTES
  for (const value of [
    meta.createdAtMs,
    meta.ttlMs,
    meta.staleWhileRevalidateMs,
    meta.staleIfErrorMs,
    meta.loadCostMs,
  ]) {
    at = target.writeDoubleBE(value, at)
  }
}

/** Writes the section `generations` at `offset`. */
export function writeGenerations(
  target: Buffer,
  offset: number,
  generations: readonly BoundGeneration[],
): void {
  let at = target.writeUInt16BE(generations.length, offset)
  for (const { generation, storedKey } of generations) {
    const keyBytes = target.write(storedKey, at + 2)
    target.writeUInt16BE(keyBytes, at)
    target.write(generation, at + 2 + keyBytes, 'latin1')
    at += 2 + keyBytes + GENERATION_BYTES
  }
}

/**
 * Reads both sections, whose checksum has been verified.
 * @param generationsEnd where the section `generations` and the header end
 * @throws CacheError `CACHE_UNDECODABLE` if no cache writes such sections
 */
export function readEntryMeta(bytes: Buffer, generationsAt: number, generationsEnd: number): EntryMeta {
  return {
    ...readEntryFacts(bytes),
    generations: readGenerations(bytes, generationsAt, generationsEnd),
  }
}

/** Reads the section `entry`. @throws CacheError `CACHE_UNDECODABLE` if a time is negative or not a number */
export function readEntryFacts(bytes: Buffer): EntryFacts {
  const facts = {
    stamp: bytes.toString('latin1', STAMP_OFFSET, TIMES_OFFSET),
    createdAtMs: bytes.readDoubleBE(TIMES_OFFSET),
    ttlMs: bytes.readDoubleBE(TIMES_OFFSET + 8),
    staleWhileRevalidateMs: bytes.readDoubleBE(TIMES_OFFSET + 16),
    staleIfErrorMs: bytes.readDoubleBE(TIMES_OFFSET + 24),
    loadCostMs: bytes.readDoubleBE(TIMES_OFFSET + 32),
  }
  const { createdAtMs, loadCostMs, staleIfErrorMs, staleWhileRevalidateMs, ttlMs } = facts
  const areFinite = createdAtMs + loadCostMs < Number.POSITIVE_INFINITY
  const arePositive = createdAtMs >= 0 && loadCostMs >= 0 && ttlMs >= 0
  if (areFinite && arePositive && staleIfErrorMs >= 0 && staleWhileRevalidateMs >= 0) return facts
  throw unreadable('a time of the entry is negative, endless or not a number')
}

/**
 * Reads the section `generations` from `offset` to `sectionEnd`.
 * @throws CacheError `CACHE_UNDECODABLE` if it does not end there, or names more generations than an entry can have
 */
export function readGenerations(bytes: Buffer, offset: number, sectionEnd: number): BoundGeneration[] {
  const count = offset + 2 <= sectionEnd ? bytes.readUInt16BE(offset) : 0
  if (count > MOST_GENERATIONS)
    throw unreadable(`the entry is bound to ${count} generations, more than ${MOST_GENERATIONS}`)
  const generations: BoundGeneration[] = []
  let at = offset + 2
  for (let left = count; left > 0 && at + 2 <= sectionEnd; left--) {
    const keyEnd = at + 2 + bytes.readUInt16BE(at)
    const end = keyEnd + GENERATION_BYTES
    generations.push({
      storedKey: bytes.toString('utf8', at + 2, keyEnd),
      generation: bytes.toString('latin1', keyEnd, end),
    })
    at = end
  }
  if (at === sectionEnd && generations.length === count) return generations
  throw unreadable('the section on generations is malformed')
}
