/** What the script of a change publishes on the invalidation bus; two empty strings publish nothing. */
export type Publication = readonly [channel: string, message: string]

/** Publishes nothing. */
export const NO_PUBLICATION: Publication = ['', '']

/** A time to live in milliseconds, as scripts take it: `''` for one that never ends. */
export function ttlText(ttlMs: number): string {
  return ttlMs === Number.POSITIVE_INFINITY ? '' : String(ttlMs)
}

/** A boolean, as scripts take it: `'1'` or `'0'`. */
export function flag(value: boolean): string {
  return value ? '1' : '0'
}

/** The bytes of binary text (`latin1`), such as a token, a stamp or a generation. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
