const FIRST_REDIAL_MS = 50
/** Longest pause before a lost connection is dialled again. */
export const LONGEST_REDIAL_MS = 500

/**
 * Pause before a lost connection is dialled again, in milliseconds. It doubles up to half a second, so a server that is
 * back is used again within that time, and one that is away gets two or three dials a second from each connection. A
 * fifth is random, to spread the dials of a fleet.
 * @param failures the attempts in a row that have failed
 */
export function redialPauseMs(failures: number): number {
  return Math.min(FIRST_REDIAL_MS * 2 ** failures, LONGEST_REDIAL_MS) * (0.8 + 0.2 * Math.random())
}
