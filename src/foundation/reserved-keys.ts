/**
 * The mark of the keys and channels of the library. Each contains a NUL, which no key of a caller may contain, so that
 * the two never collide.
 */
export const RESERVED = '\u0000'

const TAG = `${RESERVED}tag:`
/** The size of the suffix of a copy of a generation. */
export const COPY_SUFFIX_BYTES = 6
const NAMESPACE = `${RESERVED}namespace`
const KEY = `${RESERVED}key`
/** The end of a key of a generation: that of a namespace, perhaps of a copy of it, that of a tag, or that of a key. */
const GENERATION_NAME = new RegExp(
  `^(?:${NAMESPACE}(?:\\{[0-9a-z]{4}\\})?|${TAG}[^${RESERVED}]+|${KEY}(?:\\{[^${RESERVED}]+\\})?)$`,
)

/** Whether a stored key belongs to the library, in any namespace. */
export function isReserved(storedKey: string | Buffer): boolean {
  return storedKey.includes(RESERVED)
}

/**
 * The key of the generation of the namespace with this prefix, which `clear()` replaces.
 * @param copy the suffix of a copy
 */
export function namespaceKey(prefix: string, copy = ''): string {
  return `${prefix}${NAMESPACE}${copy}`
}

/** The suffix of the copy that a key of a generation names; `''` for one without copies. */
export function copyOf(generationKey: string): string {
  const at = generationKey.indexOf(NAMESPACE)
  return at < 0 ? '' : generationKey.slice(at + NAMESPACE.length)
}

/** Whether two keys are those of one generation, or of two copies of it. */
export function isSameGeneration(one: string, other: string): boolean {
  return one === other || withoutCopy(one) === withoutCopy(other)
}

function withoutCopy(generationKey: string): string {
  const copy = copyOf(generationKey)
  return copy === '' ? generationKey : generationKey.slice(0, -copy.length)
}

/** The key of the generation of a tag in the namespace with this prefix, which `invalidateTags()` replaces. */
export function tagKey(prefix: string, tag: string): string {
  return `${prefix}${TAG}${tag}`
}

/**
 * The key of the generation of one key whose value does not lie in Redis (`store: 'local'`).
 * @param isSpread whether keys are spread over slots: then it lies in the slot of the key, whose braces are paired
 */
export function keyGenerationKey(storedKey: string, isSpread: boolean): string {
  const suffix = isSpread && !storedKey.includes('{') ? `{${storedKey}}` : ''
  return `${storedKey}${KEY}${suffix}`
}

/** Whether a stored key holds the generation of a key. */
export function isKeyGeneration(storedKey: string): boolean {
  return storedKey.includes(KEY)
}

/** Whether a stored key holds the generation of a tag, in any namespace. */
export function isTagKey(storedKey: string): boolean {
  return storedKey.includes(TAG)
}

/**
 * Whether the cache with this prefix can have bound an entry to a generation: that of one of its namespaces, or of a tag
 * of one. Anything else was written by a stranger, and must not be read.
 */
export function isGenerationUnder(rootPrefix: string, generationKey: string): boolean {
  const end = generationKey.indexOf(RESERVED)
  if (end < rootPrefix.length || !generationKey.startsWith(rootPrefix)) return false
  return GENERATION_NAME.test(generationKey.slice(end))
}

/** Whether a generation is that of a namespace which the key lies in, or of a tag of one. */
export function isGenerationAround(storedKey: string, generationKey: string): boolean {
  return isGenerationUnder('', generationKey) && storedKey.startsWith(namespaceOf(generationKey))
}

/** What a generation belongs to: a tag, by its name, a namespace, by its prefix, or a key, by what is stored for it. */
export function generationName(storedKey: string): {
  readonly kind: 'tag' | 'namespace' | 'key'
  readonly name: string
} {
  const end = storedKey.indexOf(RESERVED)
  if (isTagKey(storedKey)) return { kind: 'tag', name: storedKey.slice(end + TAG.length) }
  return { kind: isKeyGeneration(storedKey) ? 'key' : 'namespace', name: storedKey.slice(0, end) }
}

/** The prefix of the namespace that a generation belongs to. */
export function namespaceOf(generationKey: string): string {
  return generationKey.slice(0, generationKey.indexOf(RESERVED))
}

/** The key of the record structures that the payloads under this prefix share. */
export function structuresKey(prefix: string): string {
  return `${prefix}${RESERVED}structures`
}

/** The key that says who has last removed or expired this key, and what for. */
export function causeKey(storedKey: string): string {
  return `${storedKey}${RESERVED}by`
}

/** The key that exists while some process listens to the invalidation bus. */
export function busPresenceKey(prefix: string): string {
  return `${prefix}${RESERVED}bus`
}

/** The pub/sub channel of the invalidation bus. */
export function busChannel(prefix: string): string {
  return `${prefix}${RESERVED}bus`
}
