import type { Expiry } from '../backend/seams/cache-store.ts'
import { CacheError } from '../foundation/errors/cache-error.ts'
import { bytesOf, type MemoryEntry } from './memory-entry.ts'

type SetEntry = MemoryEntry & { readonly kind: 'set' }

/** The entries of a store, as its sets use them. A placeholder counts as absent. */
export interface SetEntries {
  find(storedKey: string): MemoryEntry | undefined
  /** Stores a changed entry; one that `existed` keeps its time to live, unless that slides. */
  change(storedKey: string, entry: MemoryEntry, expiry: Expiry, existed: boolean): void
  remove(storedKey: string): void
}

/** The expiry of a change that leaves the time to live as it is. */
export const KEEPING: Expiry = { ttlMs: Number.POSITIVE_INFINITY, slide: false }

/** The sets of a memory store. */
export class MemorySets {
  readonly #entries: SetEntries

  constructor(entries: SetEntries) {
    this.#entries = entries
  }

  add(storedKey: string, given: readonly string[], expiry: Expiry): number {
    const current = this.#find(storedKey)
    const members = current?.members ?? new Set()
    const added = members.size === 0 ? new Set(given) : new Set(given.filter((one) => !members.has(one)))
    let memberBytes = current?.memberBytes ?? 0
    for (const member of added) memberBytes += bytesOf(member)
    // A set that has become too large is refused before it is changed.
    this.#entries.change(storedKey, { kind: 'set', members, memberBytes }, expiry, current !== undefined)
    for (const member of added) members.add(member)
    return added.size
  }

  members(storedKey: string): string[] {
    return [...(this.#find(storedKey)?.members ?? [])]
  }

  remove(storedKey: string, member: string): boolean {
    const current = this.#find(storedKey)
    if (current === undefined || !current.members.delete(member)) return false
    const { members } = current
    const memberBytes = current.memberBytes - bytesOf(member)
    if (members.size === 0) this.#entries.remove(storedKey)
    else this.#entries.change(storedKey, { kind: 'set', members, memberBytes }, KEEPING, true)
    return true
  }

  #find(storedKey: string): SetEntry | undefined {
    const entry = this.#entries.find(storedKey)
    if (entry === undefined) return undefined
    if (entry.kind !== 'set') throw wrongType()
    return entry
  }
}

export function wrongType(): CacheError {
  return new CacheError('CACHE_WRONG_TYPE', 'The key holds a value of another type', {
    replyCode: 'WRONGTYPE',
  })
}
