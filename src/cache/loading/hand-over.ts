import type { LocalEntry } from '../local/local-entry.ts'
import type { LoadRequest } from './load-request.ts'
import type { LateTagKey } from './outcome.ts'

/**
 * Called before a caller gets a value. If it is a loader whose entry inherits, that is told of the entry.
 * @param entry that of the value; `undefined` if it was loaded and not stored
 * @param lateTagKeys the generations that such a value depends on beside those of the call
 */
export function handOver(
  { generationKeys, key, outer, space }: Pick<LoadRequest, 'generationKeys' | 'key' | 'outer' | 'space'>,
  entry: LocalEntry | undefined,
  lateTagKeys: readonly LateTagKey[] = [],
): void {
  if (outer === undefined) return
  const part = space.namePrefix + key
  if (entry !== undefined) {
    outer.add(entry, part)
    return
  }
  const named = generationKeys.map((tagKey) => ({ tagKey, isKnown: true }))
  outer.refuse('not-stored', part, [...named, ...lateTagKeys])
}
