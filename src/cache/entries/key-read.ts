import type { KnownGeneration } from '../tags/known-generation.ts'

/** Stands for one read of a key, in the local tier too. */
export interface KeyRead {
  readonly storedKey: string
  /** A moment of the generation table before it was sent. */
  readonly askedAt: number
  /**
   * Set where the read must not be older than a change that was acknowledged anywhere before it began: the generations
   * that were asked for together with the key. No other is believed whose push might still be on its way.
   */
  readonly asked?: ReadonlyMap<string, Promise<KnownGeneration | undefined>> | undefined
}
