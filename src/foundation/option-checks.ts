import { abbreviate, CacheError } from './errors/cache-error.ts'
import { kindOf, shown } from './errors/shown-value.ts'
import { type Clock, LONGEST_TIMER_MS } from './time/clock.ts'
import { type Duration, parseDuration } from './time/duration.ts'

/**
 * The names of an interface of options, each with whether its value is a {@link Duration}, a group of options or
 * something else. A duration that may also be written as an object is a group, whose {@link KnownOptions.main} is that
 * duration. The compiler refuses a name that is missing, unknown, or falsely (not) a duration, so a new option cannot be
 * forgotten here.
 */
export type OptionNames<Options> = {
  readonly [Name in keyof Options]-?: Duration extends Options[Name]
    ? 'duration' | KnownOptions
    : 'value' | KnownOptions
}

/** What an object of options may contain. It is declared once, beside the function that resolves the options. */
export interface KnownOptions {
  /** What takes the options, as messages call it: `'createCache'`, `'local'`. */
  readonly of: string
  /** {@link OptionNames} of the interface. */
  readonly names: Readonly<Record<string, 'duration' | 'value' | KnownOptions>>
  /** The option of a group that a value which is no object is meant for: `'mode'` in `coherence: 'bus'`. */
  readonly main?: string
  /** What to write in place of a name that users know from elsewhere. */
  readonly instead?: Readonly<Record<string, string>>
}

/**
 * Checks the options of something that is being made. `undefined` counts as left out; `null` does not, since it would
 * silently become a default.
 * @throws CacheError `CACHE_INVALID_OPTIONS` if it is no object, or has an unknown name or a `null`
 */
export function assertOptions(options: unknown, known: KnownOptions): void {
  assertOptionNames(options, known)
  for (const [name, value] of Object.entries(options)) {
    if (value === null) throw invalidOptions(`${name} of ${known.of} is null: leave it out for its default`)
  }
}

/**
 * As {@link assertOptions}, for the options of one call, whose values are checked where they are used.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function assertOptionNames(options: unknown, known: KnownOptions): asserts options is object {
  if (!isObject(options)) throw noObject(options, `The options of ${known.of}`, asGroup(options, known))
  for (const name in options) {
    if (!Object.hasOwn(known.names, name) && Object.hasOwn(options, name)) throw unknownOption(name, known)
  }
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function assertObject(value: unknown, noun: string): asserts value is object {
  if (!isObject(value)) throw noObject(value, noun)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function noObject(value: unknown, noun: string, hint = ''): CacheError {
  return invalidOptions(`${noun} must be an object, not ${kindOf(value)}${hint}`)
}

/** Tells how to write a text or a number that stands in place of a group of options. */
function asGroup(value: unknown, { main, of }: KnownOptions): string {
  if (main === undefined || (typeof value !== 'string' && typeof value !== 'number')) return ''
  const given = typeof value === 'string' ? `'${value}'` : String(value)
  return `: write ${of}: { ${/^'?[\w.]{1,20}'?$/.test(given) ? `${main}: ${given}` : main} }`
}

/**
 * Refuses options that another one makes meaningless.
 * @param reason completes the sentence that begins with the name of the option
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function refuseGiven(options: object, names: Iterable<string>, reason: string): void {
  for (const name of names) {
    if ((options as Readonly<Record<string, unknown>>)[name] === undefined) continue
    throw invalidOptions(`${name} ${reason}`)
  }
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` if the value is not a positive integer */
export function positiveInteger(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw refusedOption(name, 'a positive whole number', value)
}

/**
 * The milliseconds of a duration that a timer can hold.
 * @throws CacheError `CACHE_INVALID_DURATION`, and `CACHE_INVALID_OPTIONS` if it is 24 days or longer
 */
export function timerDuration(name: string, duration: Duration): number {
  const ms = parseDuration(duration, name)
  if (ms <= LONGEST_TIMER_MS) return ms
  throw refusedOption(name, 'less than 24 days', duration)
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function checkedClock<Given extends Clock>(clock: Given): Given {
  if (typeof clock?.monotonicMs === 'function') return clock
  throw refusedOption('clock', 'an object with a function monotonicMs', clock)
}

/**
 * The error of an option whose value is refused. For a value that may be a secret, use {@link invalidOptions}.
 * @param wanted completes the sentence "… must be"
 */
export function refusedOption(name: string, wanted: string, value: unknown): CacheError {
  return invalidOptions(`${name} must be ${wanted}, not ${shown(value)}`)
}

export function invalidOptions(message: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', message)
}

function unknownOption(name: string, { instead = {}, names, of }: KnownOptions): CacheError {
  const unknown = `Unknown option '${abbreviate(name)}' of ${of}`
  if (Object.hasOwn(instead, name)) return invalidOptions(`${unknown}: ${instead[name]}`)
  const nearest = nearestName(name, Object.keys(names))
  return invalidOptions(
    nearest === undefined
      ? `${unknown}. It takes ${Object.keys(names).join(', ')}`
      : `${unknown}; did you mean '${nearest}'?`,
  )
}

/** The known name that a third of the letters, at most, tell from the given one; letter case does not count. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  let least = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.slice(0, 100).toLowerCase(), candidate.toLowerCase())
    if (distance >= least) continue
    least = distance
    nearest = candidate
  }
  return nearest
}

/** The number of letters to insert, delete or replace, or of neighbours to swap (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let older: readonly number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (isSame ? 0 : 1),
        isSwap ? (older[column - 2] as number) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    older = previous
    previous = current
  }
  return previous[to.length] as number
}
