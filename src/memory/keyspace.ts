/** The strings of a store by key, and their expiry. */
export interface Keyspace {
  /** The bytes under a key; `'other'` if it holds another type. */
  get(storedKey: string): Buffer | 'other' | undefined
  put(storedKey: string, bytes: Buffer, ttlMs: number): void
  /** Stores the same placeholder or entry with another lease. */
  putLease(storedKey: string, bytes: Buffer, ttlMs: number): void
  remove(storedKey: string): boolean
  /** Milliseconds until the key expires; `Infinity` if it does not. */
  remainingMs(storedKey: string): number
  keys(): readonly string[]
}
