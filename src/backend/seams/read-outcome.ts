/** The clock of the server that sent a reply. */
export interface ReplyClock {
  /**
   * Milliseconds since 1970 on the server; `undefined` while its clock is not known.
   * @param nowMs the time of this process's monotonic clock
   */
  nowMs(nowMs: number): number | undefined
}

/**
 * Turns the reply to a read into its result. One object serves all reads of a backend, so a read allocates no closure.
 */
export interface ReadOutcome<Result> {
  /**
   * @param bytes the bytes under the key; `null` if there are none, or if it holds another Redis type
   * @param server the clock of the server that sent them, if the store knows it
   */
  found(key: string, storedKey: string, bytes: Buffer | null, server?: ReplyClock): Result | Promise<Result>
  /** The result of a failed read; if it throws, the read rejects. */
  failed(key: string, error: unknown): Result | Promise<Result>
}

/** Returns the bytes as they are, and rejects with the error of the read. */
export const RAW: ReadOutcome<Buffer | null> = {
  found: (_key, _storedKey, bytes) => bytes,
  failed: (_key, error) => {
    throw error
  },
}

/** Applies an outcome to a read that is a promise of bytes. */
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
