import type { LocalEntry } from '../local/local-entry.ts'
import type { LateTagKey } from '../tags/late-tags.ts'
import type { Inheritance } from './inheritance.ts'

/** A call that may be made by a loader. */
export interface Receiver {
  readonly key: string
  readonly space: { readonly namePrefix: string }
  readonly generationKeys: readonly string[]
  /** That of the loader that asks, if its entry inherits. */
  readonly outer?: Inheritance | undefined
}

/**
 * Called before a caller gets a value. If it is a loader whose entry inherits, that is told of the entry.
 * @param entry that of the value; `undefined` if it was loaded and not stored
 * @param lateTagKeys the generations that such a value depends on beside those of the call
 */
export function handOver(
  { generationKeys, key, outer, space }: Receiver,
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
