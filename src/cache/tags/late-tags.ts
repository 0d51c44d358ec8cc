import { LRUCache } from 'lru-cache'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { GenerationTable } from './generation-table.ts'

/**
 * A generation that a value depends on and its call did not name, and whether it was known before its loader began. Callers
 * who join a load late must not find it invalidated (L4).
 */
export interface LateTagKey {
  readonly tagKey: string
  readonly isKnown: boolean
}

/** A tag that is named only when its value is known, with the generation that the entry can be bound to. */
export interface LateTag extends BoundGeneration {
  /** Whether the value may be bound to the generation. If not, the value must not be stored. */
  readonly isKnown: boolean
}

/**
 * Binds tags that are named only when the value is known, less those that were named before. Each binds to the generation
 * that was captured for the load, or to one that was read before the load began and is still live (G3).
 * @param captured the generations that were captured for the load
 * @param beganAt the moment of the generation table at which the load began
 */
export function bindLateTags(
  generations: GenerationTable,
  { generationKeys, space }: { readonly generationKeys: readonly string[]; readonly space: KeySpace },
  tags: readonly string[],
  captured: readonly BoundGeneration[],
  beganAt: number,
): readonly LateTag[] {
  const tagKeys = tags.map((tag) => space.tagKey(tag)).filter((key) => !generationKeys.includes(key))
  return tagKeys.map((tagKey) => {
    const bound = captured.find(({ storedKey }) => storedKey === tagKey)
    if (bound !== undefined) return { ...bound, isKnown: true }
    const known = generations.known(tagKey)
    const isKnown = known !== undefined && known.learnedAt <= beganAt
    return { storedKey: tagKey, generation: known?.generation ?? '', isKnown }
  })
}

/** Most keys for which the tags that only their values name are remembered. */
const MOST_LEARNED = 10_000

/** Tags that only the value named, by the stored key of the value. The next load captures them first (G3). */
export class LearnedTags {
  readonly #tagKeys = new LRUCache<string, readonly string[]>({
    maxSize: MOST_LEARNED,
    sizeCalculation: () => 1,
  })

  /** Stored keys of the generations that must be captured before a load of the key begins (G2). */
  with(storedKey: string, generationKeys: readonly string[]): readonly string[] {
    const learned = this.#tagKeys.get(storedKey)
    return learned === undefined ? generationKeys : [...new Set([...generationKeys, ...learned])]
  }

  /** Remembers the tags if one of them is not known. Returns whether that is so. */
  learn(storedKey: string, late: readonly LateTag[]): boolean {
    if (late.every(({ isKnown }) => isKnown)) return false
    this.#tagKeys.set(
      storedKey,
      late.map((tag) => tag.storedKey),
    )
    return true
  }
}
