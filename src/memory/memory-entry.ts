/** What lies under a key of the memory store, of one of two Redis types. */
export type MemoryEntry =
  | { readonly kind: 'string'; readonly bytes: Buffer; readonly isHead?: boolean }
  | { readonly kind: 'set'; readonly members: Set<string>; readonly memberBytes: number }

/** The estimated overhead of an entry beside its key and payload: map slot, list links, object headers. */
const ENTRY_OVERHEAD_BYTES = 64

/** The estimated size of an entry with its key. */
export function sizeOf(entry: MemoryEntry, storedKey: string): number {
  return bytesOf(storedKey) + (entry.kind === 'string' ? entry.bytes.length : entry.memberBytes)
}

/** The estimated size of a key or a member. */
export function bytesOf(text: string): number {
  return ENTRY_OVERHEAD_BYTES + 2 * text.length
}
