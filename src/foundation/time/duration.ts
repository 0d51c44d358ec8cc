import { CacheError } from '../errors/cache-error.ts'
import { shown } from '../errors/shown-value.ts'

/**
 * A span of time: a number of **seconds** (fractions allowed), or a number with a unit (`'250ms'`, `'30s'`, `'5m'`,
 * `'2h'`, `'7d'`), up to a thousand years. Fractions of a millisecond are rounded up. `Infinity` means "does not expire",
 * and is refused where something has to end. Zero, negative numbers, `NaN` and any other text are refused with
 * `CACHE_INVALID_DURATION`.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** A thousand years. Redis keeps expiries as a signed 64-bit number of milliseconds, so there is room to add to it. */
const LONGEST_MS = 1_000 * 365.25 * 86_400_000

/**
 * The milliseconds of a duration, rounded up to a whole number; `Infinity` stays `Infinity`.
 * @param option the name of the option that it is the value of, for the message
 * @param hint what the message adds about that option
 * @throws CacheError `CACHE_INVALID_DURATION` if it is NaN, not positive, not of the documented form, or longer than a
 * thousand years
 */
export function parseDuration(duration: Duration, option?: string, hint?: string): number {
  const ms = toMilliseconds(duration)
  if (ms === Number.POSITIVE_INFINITY) return ms
  if (!(ms > 0 && ms <= LONGEST_MS)) throw invalidDuration(duration, option, hint)
  return Math.ceil(ms)
}

/**
 * As {@link parseDuration}, for a duration that must be finite.
 * @throws CacheError `CACHE_INVALID_DURATION` also for `Infinity`
 */
export function parseFiniteDuration(duration: Duration): number {
  const ms = parseDuration(duration)
  if (ms !== Number.POSITIVE_INFINITY) return ms
  throw new CacheError('CACHE_INVALID_DURATION', 'Invalid duration: Infinity is not allowed here')
}

/** Parsed texts, since a program uses few different durations, and passes them with every `set`. */
const parsed = new Map<string, number>()
const MOST_PARSED = 100

function toMilliseconds(duration: unknown): number {
  if (typeof duration === 'number') return roundedToMicroseconds(duration * 1_000)
  if (typeof duration !== 'string') return Number.NaN
  const known = parsed.get(duration)
  if (known !== undefined) return known
  const ms = parseText(duration)
  if (parsed.size < MOST_PARSED) parsed.set(duration, ms)
  return ms
}

function parseText(duration: string): number {
  const [, amount, unit] = FORM.exec(duration) ?? []
  return amount === undefined || unit === undefined
    ? Number.NaN
    : roundedToMicroseconds(Number(amount) * (UNIT_MS[unit] ?? Number.NaN))
}

/** Removes the rounding error of a binary fraction, so that 1.1 s is 1,100 ms and not 1,101. */
function roundedToMicroseconds(ms: number): number {
  return ms > 1 && ms < 1e12 ? Math.round(ms * 1_000) / 1_000 : ms
}

function invalidDuration(duration: unknown, option = '', hint = ''): CacheError {
  return new CacheError(
    'CACHE_INVALID_DURATION',
    `Invalid duration${option && ` ${option}`}: ${shown(duration)}. Give a positive number of seconds, one with a unit ('250ms', '30s', '5m', '2h', '7d'), or Infinity${hint && `. ${hint}`}`,
  )
}
