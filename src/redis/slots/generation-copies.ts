import type { RedisPort } from '../port/redis-port.ts'
import { keySlot, SLOT_COUNT } from './key-slot.ts'

/** A copy of the generation of a namespace, in a slot of its own. */
interface Copy {
  /** A hash tag, with which the key of the copy ends. Six characters, which `reclaim-keys.lua` knows. */
  readonly suffix: string
  readonly slot: number
}

/** The number of copies. Each master of a cluster owns one if it owns a range of 256 slots. */
const COPIES = 64
const SLOTS_PER_COPY = SLOT_COUNT / COPIES

/** One copy for each range of slots, by range: the first hash tag, counted in base 36, whose slot is in the range. */
const COPY_OF_RANGE: readonly Copy[] = copies()

/** The suffixes of the keys of all copies. The first is that of a key without a suffix. */
export const COPY_SUFFIXES: readonly string[] = ['', ...COPY_OF_RANGE.map(({ suffix }) => suffix)]

/**
 * Finds the copy of a namespace's generation that lies on the same node of a cluster as a key.
 *
 * An entry is bound to the generation of its namespace. If that had a single key, all entries would depend on the one
 * node that owns it. So on a cluster it has 64 copies, which are independent of one another: an entry is bound to one of
 * them, and `clear()` replaces all.
 */
export class GenerationCopies {
  readonly #port: RedisPort
  readonly #byNode = new Map<string, Copy>()

  constructor(port: RedisPort) {
    this.#port = port
  }

  /** The suffix of the copy. Every copy is valid for every key; one on the same node is found if there is any. */
  suffixNear(storedKey: string): string {
    const slot = keySlot(storedKey)
    const node = this.#port.nodeOf(slot)
    const near = node === undefined ? undefined : this.#ownedBy(node)
    return (near ?? (COPY_OF_RANGE[Math.floor(slot / SLOTS_PER_COPY)] as Copy)).suffix
  }

  #ownedBy(node: string): Copy | undefined {
    const known = this.#byNode.get(node)
    if (known !== undefined && this.#port.nodeOf(known.slot) === node) return known
    const found = COPY_OF_RANGE.find(({ slot }) => this.#port.nodeOf(slot) === node)
    if (found === undefined) this.#byNode.delete(node)
    else this.#byNode.set(node, found)
    return found
  }
}

function copies(): readonly Copy[] {
  const found: Copy[] = []
  let left = COPIES
  for (let count = 0; left > 0; count++) {
    const suffix = `{${count.toString(36).padStart(4, '0')}}`
    const slot = keySlot(suffix)
    const range = Math.floor(slot / SLOTS_PER_COPY)
    if (found[range] !== undefined) continue
    found[range] = { suffix, slot }
    left--
  }
  return found
}
