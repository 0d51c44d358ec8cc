import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 25

/** How long {@link waitUntil} waits, and what it says when that was in vain. */
export interface WaitUntilOptions {
  /** The state waited for, as the end of the sentence "Waited in vain for …". */
  readonly what: string
  /** @default 15_000 */
  readonly timeoutMs?: number
}

/**
 * Asks every 25 ms until the answer is true. A question that throws counts as "not yet": a server that is
 * coming up refuses connections, and its last refusal becomes the `cause` of the error.
 *
 * @throws Error when the answer is still not true after `timeoutMs`.
 */
export async function waitUntil(
  ask: () => boolean | Promise<boolean>,
  { what, timeoutMs = 15_000 }: WaitUntilOptions,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let refusal: unknown
    try {
      if (await ask()) return
    } catch (error) {
      refusal = error
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited in vain for ${what} (${timeoutMs} ms)`, { cause: refusal })
    }
    await pause(POLL_MS)
  }
}
