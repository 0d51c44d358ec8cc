/** The clock of the server that sent a reply. */
export interface ReplyClock {
  /**
   * Milliseconds since 1970 on the server; `undefined` while its clock is not known.
   * @param nowMs the moment on this process's monotonic clock
   */
  nowMs(nowMs: number): number | undefined
}

/** What a read comes to. One object serves all reads of a backend, so that a read allocates no closure. */
export interface ReadOutcome<Result> {
  /**
   * @param bytes what stands under the key; `null` where there is nothing, or another Redis type
   * @param server the clock of the server that sent them, where the store knows it
   */
  found(key: string, storedKey: string, bytes: Buffer | null, server?: ReplyClock): Result | Promise<Result>
  /** May throw: the read then rejects. */
  failed(key: string, error: unknown): Result | Promise<Result>
}

/** Hands on the bytes as they are, and fails as the read does. */
export const RAW: ReadOutcome<Buffer | null> = {
  found: (_key, _storedKey, bytes) => bytes,
  failed: (_key, error) => {
    throw error
  },
}

/** What a read comes to, where it is made as a promise of its bytes. */
export function readAs<Result>(
  reading: Promise<Buffer | null>,
  key: string,
  storedKey: string,
  outcome: ReadOutcome<Result>,
): Promise<Result> {
  return reading.then(
    (bytes) => outcome.found(key, storedKey, bytes),
    (error: unknown) => outcome.failed(key, error),
  )
}
