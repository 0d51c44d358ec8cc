/**
 * Holds something that a change makes old: a copy, a pending read, a known generation, a load. The core tells every
 * listener of every change, in the order in which it lists them.
 */
export interface ChangeListener {
  /** This key may have been changed, by anybody. */
  invalidated(storedKey: string): void
  /** An own write of this key is about to be sent. */
  writeBegan(storedKey: string): void
  /** It has been acknowledged, or has failed. */
  writeSettled(storedKey: string): void
  /** Keys are removed by pattern: called at the beginning and at the end. */
  removing(matches: (storedKey: string) => boolean): void
  /** Changes may have been missed: nothing learned before may be believed any more. */
  epochBegan(): void
}
