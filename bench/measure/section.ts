import type { Kind } from '../contenders/contender.ts'

/** Something that is measured of every contender of a section. */
export interface Figure {
  readonly title: string
  readonly better: 'more' | 'less'
  readonly digits: number
}

/** All figures there are, by the names that samples bear. */
export const FIGURES = {
  perSecond: { title: 'operations/s', better: 'more', digits: 0 },
  loads: { title: 'loader calls', better: 'less', digits: 0 },
  ms: { title: 'ms', better: 'less', digits: 3 },
  pingP99Ms: { title: 'ping p99, ms', better: 'less', digits: 2 },
  slowCommands: { title: 'commands > 5 ms', better: 'less', digits: 0 },
  bytesPerEntry: { title: 'bytes an entry', better: 'less', digits: 0 },
  redisBytesPerEntry: { title: 'bytes an entry in Redis', better: 'less', digits: 0 },
  importMs: { title: 'import, ms', better: 'less', digits: 1 },
  importBytes: { title: 'bytes of source', better: 'less', digits: 0 },
  peakMib: { title: 'peak over start, MiB', better: 'less', digits: 0 },
  nodeMicros: { title: 'Node CPU, µs/op', better: 'less', digits: 2 },
  redisMicros: { title: 'Redis CPU, µs/op', better: 'less', digits: 2 },
  commands: { title: 'commands/op', better: 'less', digits: 3 },
  bytesSent: { title: 'bytes sent/op', better: 'less', digits: 0 },
  bytesReceived: { title: 'bytes received/op', better: 'less', digits: 0 },
  loopP99Ms: { title: 'event loop p99, ms', better: 'less', digits: 2 },
} as const satisfies Record<string, Figure>

export type FigureName = keyof typeof FIGURES

/** What one turn of one contender came to. */
export type Measured = Partial<Record<FigureName, number>>

/** A contender of a section, with one sample a round of every figure. */
export interface Row {
  readonly contender: string
  readonly kind: Kind
  readonly samples: Partial<Record<FigureName, readonly number[]>>
}

/** One comparison: all its contenders have done the same work, in turns. */
export interface Section {
  /** `scenario/what/size`: targets name it. */
  readonly id: string
  readonly title: string
  /** What its ratios are about. */
  readonly figure: FigureName
  /** The contender that the ratios are against. */
  readonly baseline: string
  readonly rows: readonly Row[]
  /** Sections of one series differ in a size alone, and tell together how the cost grows with it. */
  readonly series?: { readonly name: string; readonly unit: string; readonly size: number }
}
