/**
 * Holds something that a change makes out of date: copies, pending reads, known generations, loads. The core notifies
 * every listener of every change, in the order of its list.
 */
export interface ChangeListener {
  /** This key may have been changed, by this process or another one. */
  invalidated(storedKey: string): void
  /** An own write of this key is about to be sent. */
  writeBegan(storedKey: string): void
  /** The write has been acknowledged, or has failed. */
  writeSettled(storedKey: string): void
  /** Called when a removal by pattern begins, and again when it ends. */
  removing(matches: (storedKey: string) => boolean): void
  /** Notifications may have been lost, so nothing learned before may be believed any more. */
  epochBegan(): void
}
