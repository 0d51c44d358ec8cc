import {
  type BoundGeneration,
  GENERATION_BYTES,
  isPlaceholder,
  placeholder,
  readLease,
} from './entry-meta.ts'

/**
 * A **hold** is a placeholder that says: what lies under this key is being changed, so store nothing. It may lie under the
 * key of an entry, or of a generation. Changes that overlap share one hold, which counts them. Its token:
 *
 * ```
 * 4 bytes  0xff
 * 4 bytes  the window (a minute of the server's clock) in which a change last joined the hold
 * 2 bytes  how many changes have joined in that window, and have not ended
 * 2 bytes  how many in the window before
 * 3 bytes  random, the same for the life of the hold
 * 1 byte   0
 * ```
 *
 * No change holds for longer than a window, so those that joined earlier than in these two have run out. A process that
 * dies leaves its count behind for two windows at most.
 */
export interface HoldMark {
  readonly window: number
  readonly inWindow: number
  readonly before: number
  /** Three bytes as `latin1` text. */
  readonly id: string
}

/** What a capture answers if the generation is held: no entry that is bound to it is ever valid. */
export const HELD_GENERATION: string = '\u0000'.repeat(GENERATION_BYTES)

/** Whether a change holds one of the generations, so that an entry with them would not be valid. */
export function isAnyHeld(bound: readonly BoundGeneration[]): boolean {
  return bound.some(({ generation }) => generation === HELD_GENERATION)
}

const MARK = '\u00ff'.repeat(4)
const MOST_CHANGES = 0xffff

/** The hold that the bytes are; `undefined` if they are none. */
export function readHold(bytes: Buffer): HoldMark | undefined {
  if (!isPlaceholder(bytes)) return undefined
  const { token } = readLease(bytes)
  if (!token.startsWith(MARK)) return undefined
  const parts = Buffer.from(token, 'latin1')
  return {
    window: parts.readUInt32BE(4),
    inWindow: parts.readUInt16BE(8),
    before: parts.readUInt16BE(10),
    id: token.slice(12, 15),
  }
}

/** The bytes of a hold. @param deadlineMs when it runs out, on the server's clock */
export function holdPlaceholder({ before, id, inWindow, window }: HoldMark, deadlineMs: number): Buffer {
  const parts = Buffer.alloc(8)
  parts.writeUInt32BE(window)
  parts.writeUInt16BE(Math.min(inWindow, MOST_CHANGES), 4)
  parts.writeUInt16BE(Math.min(before, MOST_CHANGES), 6)
  return placeholder(`${MARK}${parts.toString('latin1')}${id}\u0000`, deadlineMs)
}
