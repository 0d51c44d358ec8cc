import { kindOf } from '../../foundation/errors/shown-value.ts'

/** Whether the error of a loader tells of an outage of the source. If not, the error is the answer of the source. */
export type IsOutage = (error: unknown) => boolean

/** Statuses from 400 to 499 that tell nothing of what was asked for: time-outs, and too many requests. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * The rule where none is given: an error with an HTTP status from 400 to 499 is an answer, except 408 (Request Timeout),
 * 425 (Too Early) and 429 (Too Many Requests). Every other error is an outage. Never throws.
 */
export function isOutageByStatus(error: unknown): boolean {
  try {
    const status = statusOf(error)
    const isOfRequest = status !== undefined && status >= 400 && status <= 499
    return !isOfRequest || TEMPORARY.has(status)
  } catch {
    // A getter of the error has thrown.
    return true
  }
}

/**
 * Whether an error is an outage, by the rule of the caller or else by {@link isOutageByStatus}.
 * @param rule `undefined` if there is none
 * @param onFailure called with why the rule has not decided
 */
export function isOutage(
  error: unknown,
  rule: IsOutage | undefined,
  onFailure: (cause: unknown) => void,
): boolean {
  if (rule === undefined) return isOutageByStatus(error)
  try {
    const verdict: unknown = rule(error)
    if (typeof verdict === 'boolean') return verdict
    if (verdict instanceof Promise) verdict.catch(() => {})
    onFailure(new TypeError(`staleIfError.when must return true or false, not ${kindOf(verdict)}`))
  } catch (cause) {
    onFailure(cause)
  }
  return isOutageByStatus(error)
}

/** The first number among the places where HTTP clients keep the status of a response. */
function statusOf(error: unknown): number | undefined {
  const { response, status, statusCode } = Object(error) as Readonly<Record<string, unknown>>
  const answered = (Object(response) as Readonly<Record<string, unknown>>).status
  return [status, statusCode, answered].find((one) => typeof one === 'number')
}

const ids = new WeakMap<IsOutage, number>()
let known = 0

/** A number that tells this function from all others, as long as it is referred to. */
export function idOfRule(rule: IsOutage): number {
  const id = ids.get(rule) ?? ++known
  ids.set(rule, id)
  return id
}
