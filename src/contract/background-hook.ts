/**
 * Is handed work that goes on after a call has returned, as `waitUntil` of a serverless platform is. The promise resolves
 * when the work has ended, in success or not; it never rejects.
 */
export type BackgroundHook = (work: Promise<void>) => void

/** Who is told of the work that goes on after a call. */
export interface BackgroundOptions {
  /**
   * Is called, before a call returns, with a promise of each piece of work that it leaves under way in this process: the
   * load of a newer value, a verification, a lease that is given back. The promise resolves when that has ended, and
   * never rejects. For platforms that freeze a process when it has answered: `background: (work) => ctx.waitUntil(work)`.
   * It goes in place of the cache's. What it throws changes nothing for the call; an `error` event tells of it.
   * @default that of the cache, which has none by default
   */
  readonly background?: BackgroundHook | undefined
}
