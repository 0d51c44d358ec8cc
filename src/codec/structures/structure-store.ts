/** Where the dictionary of record structures lies, for all who read the same data: one string, under a key of its own. */
export interface StructureStore {
  /** The key as stored. */
  readonly storedKey: string
  /** The bytes that lie there; `null` where there are none. Rejects where they cannot be read. */
  load(): Promise<Buffer | null>
  /**
   * Stores `bytes` where nothing lies, or exactly `expected`; rejects where that cannot be done.
   * @returns `null` where they were stored, else the bytes that lie there
   */
  replace(expected: Buffer | null, bytes: Buffer, ttlMs: number): Promise<Buffer | null>
}
