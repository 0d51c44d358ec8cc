/**
 * The place of the dictionary of record structures that all readers of the same data share: one string under one key.
 */
export interface StructureStore {
  /** The stored key. */
  readonly storedKey: string
  /** The stored bytes; `null` if there are none. Rejects if they cannot be read. */
  load(): Promise<Buffer | null>
  /**
   * Stores `bytes` if the key is free or holds `expected`. Rejects if the store fails.
   * @returns `null` if they were stored, else the bytes that the key holds
   */
  replace(expected: Buffer | null, bytes: Buffer, ttlMs: number): Promise<Buffer | null>
}
