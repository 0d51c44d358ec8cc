import { type EntryMeta, isEntry, isPlaceholder, stampIn } from '../../codec/envelope/entry-meta.ts'
import type { OpenedValue } from '../../codec/opened-value.ts'
import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { newStamp } from '../core/stamp.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import type { WritePath } from './write-path.ts'

/** After so many attempts in which others wrote the key, it is deleted. */
const MOST_ATTEMPTS = 5
/**
 * An entry is stale since this long ago, in milliseconds. Processes estimate the server's clock, with an error of half a
 * round trip at most, and none of them is to find the entry fresh.
 */
const CLOCK_MARGIN_MS = 1_000

/**
 * Makes an entry stale at once: reads it, and writes it with the time to live that it has had, if nobody has written the
 * key meanwhile. Its stale windows begin now. The write revokes the lease of a load that is under way, whose value may be
 * as old as the entry. Two round trips.
 */
export class KeyExpiry {
  readonly #core: CacheCore
  readonly #writes: WritePath

  constructor(core: CacheCore, writes: WritePath) {
    this.#core = core
    this.#writes = writes
  }

  /**
   * @returns whether the key held an entry
   * @throws CacheError if Redis does not acknowledge it; the key is then deleted later
   */
  expire(storedKey: string): Promise<boolean> {
    return this.#writes.inTurnDropping([storedKey], async (turn) => {
      if (turn.earlier !== undefined) await turn.earlier
      const { outbox, tier } = this.#core
      try {
        for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts++) {
          const wasEntry = await this.#attempt(storedKey)
          if (wasEntry !== undefined) return wasEntry
        }
        return (await tier.remove([storedKey])) > 0
      } catch (error) {
        if (!isProgrammingMistake(error)) {
          outbox.add('key', [storedKey])
          tier.deliver()
        }
        throw error
      }
    })
  }

  /** Whether the key held an entry; `undefined` if it was written meanwhile. */
  async #attempt(storedKey: string): Promise<boolean | undefined> {
    const { tier } = this.#core
    const bytes = await tier.readForWrite(storedKey)
    if (bytes === null) return false
    if (!isEntry(bytes)) {
      // A load that is under way began before this call.
      if (isPlaceholder(bytes)) await tier.remove([storedKey])
      return false
    }
    const expired = await this.#expired(storedKey, bytes)
    if (expired === undefined) return (await tier.remove([storedKey])) > 0
    const fence = { kind: 'entry', mark: stampIn(bytes) } as const
    return (await tier.fill(storedKey, fence, expired.bytes, expired.keptMs)) || undefined
  }

  /** The entry as a stale one; `undefined` if it would not be served any more, or cannot be read. */
  async #expired(
    storedKey: string,
    bytes: Buffer,
  ): Promise<{ readonly bytes: Buffer; readonly keptMs: number } | undefined> {
    const { codec, tier } = this.#core
    const serverNowMs = tier.serverNowMs(storedKey) ?? (await tier.serverTimeMs(storedKey))
    let opened: OpenedValue | undefined
    let value: unknown
    try {
      opened = codec.open(storedKey, bytes)
      value = await opened?.decode()
    } catch {
      return undefined
    }
    const entry = opened?.entry
    if (entry === undefined) return undefined
    const meta = { ...expiredMeta(entry, serverNowMs), stamp: newStamp() }
    const keptMs = Math.ceil(meta.createdAtMs + storedTtlMs(meta) - serverNowMs)
    return keptMs > 0 ? { bytes: codec.encodeEntry(storedKey, value, meta), keptMs } : undefined
  }
}

/** An entry whose stale windows begin now, if they have not begun, but which was stale before. */
function expiredMeta(entry: EntryMeta, serverNowMs: number): EntryMeta {
  const endsMs = Math.max(entry.createdAtMs, Math.min(serverNowMs, entry.createdAtMs + entry.ttlMs))
  const ttlMs = Math.max(0, Math.min(endsMs, serverNowMs - CLOCK_MARGIN_MS) - entry.createdAtMs)
  const longer = (windowMs: number) => windowMs && windowMs + endsMs - entry.createdAtMs - ttlMs
  return {
    ...entry,
    ttlMs,
    staleIfErrorMs: longer(entry.staleIfErrorMs),
    staleWhileRevalidateMs: longer(entry.staleWhileRevalidateMs),
  }
}
