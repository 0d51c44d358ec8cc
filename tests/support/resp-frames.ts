const CR = 0x0d
const LINE_END = 2

/** Whole RESP frames at the beginning of a stream, and what is left of it. */
export interface Frames {
  readonly frames: readonly Buffer[]
  readonly rest: Buffer
}

/** Splits a well-formed RESP2 or RESP3 stream into its frames. */
export function splitFrames(bytes: Buffer): Frames {
  const frames: Buffer[] = []
  let start = 0
  for (let end = frameEnd(bytes, start); end !== undefined; end = frameEnd(bytes, start)) {
    frames.push(bytes.subarray(start, end))
    start = end
  }
  return { frames, rest: bytes.subarray(start) }
}

/** The words of a command: an array of bulk strings. */
export function wordsOf(frame: Buffer): readonly Buffer[] {
  const words: Buffer[] = []
  for (let at = lineEnd(frame, 0) ?? frame.length; at < frame.length; ) {
    const start = lineEnd(frame, at) ?? frame.length
    const end = start + lengthAt(frame, at)
    words.push(frame.subarray(start, end))
    at = end + LINE_END
  }
  return words
}

/** The offset behind the frame that begins at `start`; `undefined` if it is not complete. */
function frameEnd(bytes: Buffer, start: number): number | undefined {
  const body = lineEnd(bytes, start)
  if (body === undefined) return undefined
  const length = lengthAt(bytes, start)
  switch (String.fromCharCode(bytes[start] as number)) {
    case '$':
    case '!':
    case '=': {
      const end = length < 0 ? body : body + length + LINE_END
      return end <= bytes.length ? end : undefined
    }
    case '*':
    case '~':
    case '>':
      return framesEnd(bytes, body, length)
    case '%':
      return framesEnd(bytes, body, 2 * length)
    default:
      return body
  }
}

function framesEnd(bytes: Buffer, start: number, count: number): number | undefined {
  let end: number | undefined = start
  for (let left = count; left > 0 && end !== undefined; left--) end = frameEnd(bytes, end)
  return end
}

function lineEnd(bytes: Buffer, start: number): number | undefined {
  const at = bytes.indexOf(CR, start)
  return at < 0 || at + LINE_END > bytes.length ? undefined : at + LINE_END
}

function lengthAt(bytes: Buffer, start: number): number {
  return Number.parseInt(bytes.toString('latin1', start + 1, start + 24), 10)
}
