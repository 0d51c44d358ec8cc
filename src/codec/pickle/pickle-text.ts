import { unreadable } from './pickle-input.ts'

const BACKSLASH = 0x5c
/** Stretches without an escape that are at least as long are taken as a whole. */
const LONG = 64
/** So many characters are made into a text at a time. */
const MOST_UNITS = 4_096

/** A text of single characters and of stretches of another text, which takes little more memory than it has characters. */
class Composition {
  readonly #parts: string[] = []
  #units: number[] = []

  unit(unit: number): void {
    if (this.#units.push(unit) === MOST_UNITS) this.#flush()
  }

  codePoint(codePoint: number): void {
    if (codePoint <= 0xffff) {
      this.unit(codePoint)
    } else {
      this.unit(0xd7c0 + (codePoint >> 10))
      this.unit(0xdc00 + (codePoint & 0x3ff))
    }
  }

  stretch(line: string, start: number, end: number): void {
    if (end - start < LONG) {
      for (let at = start; at < end; at++) this.unit(line.charCodeAt(at))
    } else {
      this.#flush()
      this.#parts.push(line.slice(start, end))
    }
  }

  get text(): string {
    this.#flush()
    return this.#parts.join('')
  }

  #flush(): void {
    this.#parts.push(String.fromCharCode(...this.#units))
    this.#units = []
  }
}

/**
 * The argument of `UNICODE`, in Python's raw-unicode-escape: Latin-1 in which only `\uXXXX` and `\UXXXXXXXX` are
 * escapes. Two escaped halves of a surrogate pair are refused as a lone one is, since they stay two characters in
 * Python.
 */
export function parseRawUnicode(line: string): string {
  let composition: Composition | undefined
  let start = 0
  for (let at = line.indexOf('\\'); at >= 0; at = line.indexOf('\\', at)) {
    // What follows any other backslash begins no escape.
    for (; line.charCodeAt(at) === BACKSLASH; at += 2) {
      const digits = DIGITS_OF_UNICODE.get(line.charCodeAt(at + 1))
      if (digits === undefined) continue
      composition ??= new Composition()
      composition.stretch(line, start, at)
      composition.codePoint(scalar(hexadecimal(line, at + 2, digits)))
      at += digits
      start = at + 2
    }
  }
  if (composition === undefined) return line
  composition.stretch(line, start, line.length)
  return composition.text
}

/** How many digits follow `\u` and `\U`. */
const DIGITS_OF_UNICODE: ReadonlyMap<number, number> = new Map([
  [0x75, 4],
  [0x55, 8],
])

function scalar(codePoint: number): number {
  if (codePoint > 0x10ffff) unreadable('a malformed escape')
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) unreadable('a surrogate')
  return codePoint
}

const HEX = 0x78
const ESCAPES: ReadonlyMap<number, number> = new Map(
  ['n\n', 'r\r', 't\t', '\\\\', "''", '""'].map((pair) => [pair.charCodeAt(0), pair.charCodeAt(1)]),
)

/** The argument of `STRING`: a quoted literal, as `repr` of Python 2 writes it. */
export function parseQuoted(line: string): string {
  const quote = line.charCodeAt(0)
  const isQuoted =
    line.length >= 2 && (quote === 0x27 || quote === 0x22) && line.charCodeAt(line.length - 1) === quote
  if (!isQuoted) unreadable('a string without quotes')
  const body = line.slice(1, -1)
  const text = body.includes('\\') ? unescaped(body) : body
  return /[^\0-\x7f]/.test(text) ? unreadable('a string that is not ASCII') : text
}

function unescaped(body: string): string {
  const composition = new Composition()
  let start = 0
  for (let at = body.indexOf('\\'); at >= 0; at = body.indexOf('\\', start)) {
    composition.stretch(body, start, at)
    start = at
    for (; body.charCodeAt(start) === BACKSLASH; start += 2) {
      const letter = body.charCodeAt(start + 1)
      if (letter === HEX) {
        composition.unit(hexadecimal(body, start + 2, 2))
        start += 2
      } else {
        composition.unit(ESCAPES.get(letter) ?? unreadable('a malformed escape'))
      }
    }
  }
  composition.stretch(body, start, body.length)
  return composition.text
}

function hexadecimal(text: string, start: number, digits: number): number {
  let value = 0
  for (let at = start; at < start + digits; at++) value = value * 16 + digit(text.charCodeAt(at))
  return value
}

function digit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30
  const letter = unit | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : unreadable('a malformed escape')
}
