import { type GenerationValue, readGenerationValue } from '../../codec/envelope/generation-value.ts'
import { HELD_GENERATION, readHold } from '../../codec/envelope/hold-mark.ts'
import type { OpenedValue } from '../../codec/opened-value.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { causeKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Accepts } from '../entries/acceptance.ts'

/** The content of the shared tier under a key. */
export interface SharedInspection {
  /** Why the key could not be read. */
  readonly failure: CacheError | undefined
  /** `null` if the key holds no string. */
  readonly bytes: Buffer | null
  /** `undefined` for a placeholder, and for bytes that cannot be opened. */
  readonly opened: OpenedValue | undefined
  /** Why the bytes cannot be opened, or their value cannot be decoded. */
  readonly undecodable: CacheError | undefined
  /** Whether its value may be served, as far as it was decoded. */
  readonly fits: boolean
  /** `Infinity` if the key does not expire; `undefined` if there is none, or Redis could not be asked. */
  readonly ttlMs: number | undefined
  /**
   * Current generations by stored key; `null` if there is none, and `HELD_GENERATION` if a change holds it. Those that
   * could not be read are left out.
   */
  readonly generations: ReadonlyMap<string, GenerationValue | null>
  /** Who has last removed or expired the key, and when, if its caller has said what for. */
  readonly invalidation: GenerationValue | undefined
}

/**
 * Reads a key and generations in the shared tier, and changes nothing: nothing is delivered, nothing is learned, and no
 * failure counts. At most two round trips, three if the key was created or removed between two commands. Never rejects.
 *
 * @param generationKeys generations to read in any case, beside those that the entry names
 * @param accepts decides whether the value may be served
 * @param isHeld whether the key holds no value but its generation
 */
export async function inspectShared(
  core: CacheCore,
  storedKey: string,
  generationKeys: Iterable<string>,
  accepts: Accepts | undefined,
  isHeld = false,
): Promise<SharedInspection> {
  const generations = new Map<string, GenerationValue | null>()
  try {
    await core.opened()
    const [key, invalidation] = await Promise.all([
      isHeld ? NOTHING : lookAtKey(core, storedKey),
      lookAtCause(core, storedKey),
      readAll(core, generationKeys, generations),
    ])
    const { bytes, ttlMs } = key
    const { fits, opened, undecodable } = await open(core, storedKey, bytes, accepts)
    const named = opened?.entry?.generations.map((one) => one.storedKey) ?? []
    await readAll(core, named, generations)
    return { failure: undefined, bytes, opened, fits, undecodable, ttlMs, generations, invalidation }
  } catch (error) {
    const failure = asCacheError(error)
    const nothing = { bytes: null, opened: undefined, undecodable: undefined, ttlMs: undefined }
    return { failure, ...nothing, fits: true, generations, invalidation: undefined }
  }
}

const NOTHING: Pick<SharedInspection, 'bytes' | 'ttlMs'> = { bytes: null, ttlMs: undefined }

/** Asks twice if a key has a time to live but no bytes: it was perhaps created or removed between two commands. */
async function lookAtKey(
  { tier: { bare } }: CacheCore,
  storedKey: string,
): Promise<Pick<SharedInspection, 'bytes' | 'ttlMs'>> {
  const ask = async () => {
    const asking = bare.read(storedKey)
    const [bytes, ttlMs] = await Promise.all([asking, bare.ttlMs(storedKey).catch(() => undefined)])
    return { bytes, ttlMs }
  }
  const first = await ask()
  return first.bytes === null && first.ttlMs !== undefined ? ask() : first
}

async function lookAtCause(
  { tier: { bare } }: CacheCore,
  storedKey: string,
): Promise<GenerationValue | undefined> {
  try {
    return readGenerationValue(await bare.read(causeKey(storedKey)))
  } catch {
    // It may be on another server than the key.
    return undefined
  }
}

const HELD = readGenerationValue(Buffer.from(HELD_GENERATION, 'latin1')) ?? null

/** Adds those generations that have not been read yet. */
async function readAll(
  { tier: { bare } }: CacheCore,
  generationKeys: Iterable<string>,
  found: Map<string, GenerationValue | null>,
): Promise<void> {
  const unread = [...new Set(generationKeys)].filter((key) => !found.has(key))
  await Promise.all(
    unread.map(async (key) => {
      try {
        const bytes = await bare.read(key)
        found.set(key, bytes === null ? null : generationIn(bytes))
      } catch {
        // It may be on another server than the key. It is left out, and so counts as unknown.
      }
    }),
  )
}

function generationIn(bytes: Buffer): GenerationValue | null {
  return readGenerationValue(bytes) ?? (readHold(bytes) === undefined ? null : HELD)
}

/** Decodes the value too, only to find out whether it can be decoded and served. */
async function open(
  { check, codec }: CacheCore,
  storedKey: string,
  bytes: Buffer | null,
  accepts: Accepts | undefined,
): Promise<Pick<SharedInspection, 'opened' | 'fits' | 'undecodable'>> {
  let opened: OpenedValue | undefined
  try {
    const found = bytes === null ? undefined : codec.open(storedKey, bytes)
    check.assertOwn(found?.entry?.generations ?? [])
    opened = found
    const value = await opened?.decode()
    const fits = opened === undefined || accepts === undefined || (await accepts(value))
    return { opened, fits, undecodable: undefined }
  } catch (error) {
    return { opened, fits: true, undecodable: asCacheError(error) }
  }
}

/** Messages of other errors may quote data. */
function asCacheError(error: unknown): CacheError {
  return error instanceof CacheError
    ? error
    : new CacheError('CACHE_INTERNAL', 'Unexpected error inside the cache')
}
