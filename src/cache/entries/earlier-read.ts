/** What was read before it was known that it has to be judged, and perhaps loaded. */
export interface EarlierRead {
  readonly bytes: Buffer | null
  /** Why it could not be read. */
  readonly failure: unknown
  /** A moment of this process, as `GenerationTable.now`, before it was asked for. */
  readonly askedAt: number
  /** That of the local tier when it was asked for. */
  readonly epoch: number
}
