/** What a read comes to. One object serves all reads of a backend, so that a read allocates no closure. */
export interface ReadOutcome<Result> {
  /** @param bytes what stands under the key; `null` where there is nothing, or another Redis type */
  found(key: string, storedKey: string, bytes: Buffer | null): Result | Promise<Result>
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
