import { chunks } from '../../foundation/chunks.ts'
import { keySlot } from './key-slot.ts'

/**
 * Groups of at most `limit` items that may share one command: any items on a single server, items of one hash slot on
 * a cluster. Items keep their order within a group.
 */
export function* sameSlotGroups<Item>(
  items: readonly Item[],
  isCluster: boolean,
  limit: number,
  storedKeyOf: (item: Item) => string | Buffer,
): Generator<readonly Item[]> {
  if (!isCluster) {
    yield* chunks(items, limit)
    return
  }
  const bySlot = new Map<number, Item[]>()
  for (const item of items) {
    const slot = keySlot(storedKeyOf(item))
    const group = bySlot.get(slot)
    if (group === undefined) bySlot.set(slot, [item])
    else group.push(item)
  }
  for (const group of bySlot.values()) yield* chunks(group, limit)
}
