import type { LocalEntry } from '../local/local-entry.ts'
import type { LoadRequest } from './load-request.ts'

/**
 * Called before a caller gets a value. If it is a loader whose entry inherits, that is told of the entry.
 * @param entry that of the value; `undefined` if it was loaded and not stored
 */
export function handOver(
  { key, outer, space }: Pick<LoadRequest, 'key' | 'outer' | 'space'>,
  entry: LocalEntry | undefined,
): void {
  if (outer === undefined) return
  const part = space.namePrefix + key
  if (entry === undefined) outer.refuse('not-stored', part)
  else outer.add(entry, part)
}
