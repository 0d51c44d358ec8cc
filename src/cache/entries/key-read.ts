import type { KnownGeneration } from '../tags/known-generation.ts'

/** One read of a key. The object also identifies the read in the local tier. */
export interface KeyRead {
  readonly storedKey: string
  /** The moment of the generation table at which the read was sent. */
  readonly askedAt: number
  /**
   * Set if the read must reflect every change that Redis acknowledged before it began: the generations that are fetched
   * together with the key. Any other generation whose push might arrive after the reply is fetched later. The local tier
   * does not keep what such a read finds.
   */
  readonly asked?: ReadonlyMap<string, Promise<KnownGeneration | undefined>> | undefined
}
