import { RAW } from '../../backend/read-outcome.ts'
import { GENERATION_BYTES } from '../../codec/envelope/entry-meta.ts'
import type { OpenedValue } from '../../codec/value-codec.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'

/** What lies in the shared tier, as found by somebody who only looks. */
export interface SharedInspection {
  /** Why it could not be read. */
  readonly failure: CacheError | undefined
  /** `null` where there is no string. */
  readonly bytes: Buffer | null
  /** `undefined` for a placeholder and for what cannot be opened. */
  readonly opened: OpenedValue | undefined
  /** Why the bytes cannot be opened, or their value not be decoded. */
  readonly undecodable: CacheError | undefined
  /** `Infinity` where the key does not expire; `undefined` where there is none, or it could not be asked. */
  readonly ttlMs: number | undefined
  /** Present generations by their stored keys, `null` where there is none; those that could not be read are left out. */
  readonly generations: ReadonlyMap<string, string | null>
}

/**
 * Looks at a key and at generations in the shared tier, and leaves everything as it is: what waits to be delivered goes
 * on waiting, nothing is learned, no failure metrics. Two round trips at most, three where the key came or went
 * between two of its commands. Never rejects.
 *
 * @param generationKeys generations that are wanted whatever is there; those that the entry names come on top
 */
export async function inspectShared(
  core: CacheCore,
  storedKey: string,
  generationKeys: Iterable<string>,
): Promise<SharedInspection> {
  const generations = new Map<string, string | null>()
  try {
    await core.opened()
    const [key] = await Promise.all([lookAtKey(core, storedKey), readAll(core, generationKeys, generations)])
    const { bytes, ttlMs } = key
    const { opened, undecodable } = await open(core, storedKey, bytes)
    const named = opened?.entry?.generations.map((one) => one.storedKey) ?? []
    await readAll(core, named, generations)
    return { failure: undefined, bytes, opened, undecodable, ttlMs, generations }
  } catch (error) {
    const failure = asCacheError(error)
    return { failure, bytes: null, opened: undefined, undecodable: undefined, ttlMs: undefined, generations }
  }
}

/** A key that has a time to live and no bytes is of another type, or it came or went between the two questions. */
async function lookAtKey(
  { tier: { bare } }: CacheCore,
  storedKey: string,
): Promise<Pick<SharedInspection, 'bytes' | 'ttlMs'>> {
  const ask = async () => {
    const asking = bare.read(storedKey, RAW)
    const [bytes, ttlMs] = await Promise.all([asking, bare.ttlMs(storedKey).catch(() => undefined)])
    return { bytes, ttlMs }
  }
  const first = await ask()
  return first.bytes === null && first.ttlMs !== undefined ? ask() : first
}

/** Adds those generations that have not been read yet. */
async function readAll(
  { tier: { bare } }: CacheCore,
  generationKeys: Iterable<string>,
  found: Map<string, string | null>,
): Promise<void> {
  const unread = [...new Set(generationKeys)].filter((key) => !found.has(key))
  await Promise.all(
    unread.map(async (key) => {
      try {
        const bytes = await bare.read(key, RAW)
        found.set(key, bytes?.length === GENERATION_BYTES ? bytes.toString('latin1') : null)
      } catch {
        // It may lie on another server than the key, and is told to be unknown.
      }
    }),
  )
}

/** Decodes the value too, and drops it: whether it can be decoded is not known before. */
async function open(
  { codec }: CacheCore,
  storedKey: string,
  bytes: Buffer | null,
): Promise<Pick<SharedInspection, 'opened' | 'undecodable'>> {
  let opened: OpenedValue | undefined
  try {
    opened = bytes === null ? undefined : codec.open(storedKey, bytes)
    await opened?.decode()
    return { opened, undecodable: undefined }
  } catch (error) {
    return { opened, undecodable: asCacheError(error) }
  }
}

/** Another error's message may tell anything. */
function asCacheError(error: unknown): CacheError {
  return error instanceof CacheError ? error : new CacheError('CACHE_INTERNAL', 'A defect was met')
}
