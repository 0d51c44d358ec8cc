import type { Coherence } from '../../backend/seams/shared-tier.ts'

/** How often a process polls a key that another process loads, in milliseconds, if it also expects a push. */
const POLL_BEHIND_PUSH_MS = 500
/** How often it polls without pushes: the first interval, which doubles, and the longest one. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250

/** The longest time in milliseconds for which a flight waits for the load of another process before it reads again. */
export function longestWaitMs(coherence: Coherence, remainingMs: number, attempt: number): number {
  const isTold = coherence === 'tracking' || coherence === 'bus'
  const pollMs = isTold ? POLL_BEHIND_PUSH_MS : Math.min(FIRST_POLL_MS * 2 ** attempt, LONGEST_POLL_MS)
  return Math.min(remainingMs + 1, pollMs)
}
