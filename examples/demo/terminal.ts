import { stripVTControlCharacters } from 'node:util'

const WIDTH = 78
const INDENT = '   '
const BAR_WIDTH = 30
const REDRAW_MS = 80
const CLEAR_LINE = '\r\x1b[K'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

/** A running progress bar. */
export interface Progress {
  /** @param note a few words behind the bar */
  update(done: number, note?: string): void
  /** Takes the bar away (a terminal) or finishes the list of lines (a file or a pipe). */
  end(): void
}

/** Columns of a table whose text is put at the right, as befits numbers. */
export type RightAligned = readonly number[]

/** Prints for people: at most 80 columns, and colours only where they are wanted. */
export class Terminal {
  readonly #output: NodeJS.WriteStream
  readonly #isLive: boolean
  readonly #hasColours: boolean
  #isCursorHidden = false

  constructor(output: NodeJS.WriteStream, environment: NodeJS.ProcessEnv) {
    this.#output = output
    this.#isLive = output.isTTY === true && environment.TERM !== 'dumb'
    this.#hasColours = this.#isLive && !environment.NO_COLOR
    process.once('exit', () => this.restore())
  }

  bold(text: string): string {
    return this.#styled(1, 22, text)
  }

  dim(text: string): string {
    return this.#styled(2, 22, text)
  }

  green(text: string): string {
    return this.#styled(32, 39, text)
  }

  cyan(text: string): string {
    return this.#styled(36, 39, text)
  }

  title(text: string): void {
    this.#line(`\n${this.bold(text)}`)
  }

  /** The beginning of a chapter. */
  heading(text: string): void {
    const rule = '─'.repeat(Math.max(3, WIDTH - text.length - 4))
    this.#line(`\n${this.cyan('──')} ${this.bold(text)} ${this.cyan(rule)}`)
  }

  /** Text that is broken between words where a line is full. */
  paragraph(text: string): void {
    let line = ''
    for (const word of text.split(' ')) {
      if (line !== '' && widthOf(`${line} ${word}`) > WIDTH - INDENT.length) {
        this.#line(INDENT + line)
        line = ''
      }
      line = line === '' ? word : `${line} ${word}`
    }
    this.#line(INDENT + line)
  }

  /** Lines that stay as they are. */
  verbatim(...lines: readonly string[]): void {
    for (const line of lines) this.#line(line === '' ? '' : `${INDENT}  ${line}`)
  }

  gap(): void {
    this.#line('')
  }

  /** Rows under a heading; the last column takes what is left of the line. */
  table(
    head: readonly string[],
    rows: readonly (readonly string[])[],
    rightAligned: RightAligned = [],
  ): void {
    const hasHead = head.some((text) => text !== '')
    const widths = head.map((_, column) =>
      Math.max(...[head, ...rows].map((row) => widthOf(row[column] ?? ''))),
    )
    const format = (row: readonly string[]): string =>
      row
        .map((cell, column) => {
          const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)))
          return rightAligned.includes(column) ? padding + cell : cell + padding
        })
        .join('   ')
        .trimEnd()
    if (hasHead) this.#line(`${INDENT}  ${this.dim(format(head))}`)
    for (const row of rows) this.#line(`${INDENT}  ${format(row)}`)
  }

  /** `fraction` of a bar in colour, the rest of it pale. */
  bar(fraction: number): string {
    const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH)
    return (
      this.green('━'.repeat(filled)) +
      this.dim(this.#hasColours ? '━'.repeat(BAR_WIDTH - filled) : '─'.repeat(BAR_WIDTH - filled))
    )
  }

  /** A bar that moves in a terminal; elsewhere a line for every quarter. */
  progress(label: string, total: number): Progress {
    return this.#isLive ? this.#movingBar(label, total) : this.#quarterLines(label, total)
  }

  /** Shows the cursor again, and clears a bar that was left half way. */
  restore(): void {
    if (!this.#isCursorHidden) return
    this.#isCursorHidden = false
    this.#output.write(CLEAR_LINE + SHOW_CURSOR)
  }

  #movingBar(label: string, total: number): Progress {
    let drawnAt = Number.NEGATIVE_INFINITY
    this.#isCursorHidden = true
    this.#output.write(HIDE_CURSOR)
    return {
      update: (done, note = '') => {
        if (performance.now() - drawnAt < REDRAW_MS && done < total) return
        drawnAt = performance.now()
        const percent = `${Math.floor((100 * done) / total)}`.padStart(3)
        this.#output.write(
          `${CLEAR_LINE}${INDENT}${label} ${this.bar(done / total)} ${percent} %  ${this.dim(note)}`,
        )
      },
      end: () => this.restore(),
    }
  }

  #quarterLines(label: string, total: number): Progress {
    let quarters = 0
    return {
      update: (done, note = '') => {
        const reached = Math.floor((4 * done) / total)
        if (reached <= quarters) return
        quarters = reached
        this.#line(`${INDENT}${label} ${`${quarters * 25}`.padStart(3)} %  ${note}`.trimEnd())
      },
      end: () => {},
    }
  }

  #styled(on: number, off: number, text: string): string {
    return this.#hasColours ? `\x1b[${on}m${text}\x1b[${off}m` : text
  }

  #line(text: string): void {
    this.#output.write(`${text}\n`)
  }
}

function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length
}
