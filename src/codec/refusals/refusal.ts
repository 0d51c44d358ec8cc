/**
 * A serializer's refusal of a value that would come back as something else. Its text says what kind of value that is,
 * and never quotes it, so it may be shown.
 */
export class Refusal extends TypeError {
  override readonly name = 'Refusal'
}

/** The refusal of a value by a serializer that takes no container, so that no part of the value is to blame. */
export class WholeRefusal extends Refusal {}

/** What a value is, without its content: `'a Map'`, `'NaN'`, `'a function'`, `'an invalid Date'`. */
export function kindOf(value: unknown): string {
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : String(value)
  if (value === undefined || value === null) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  if (value instanceof Date && Number.isNaN(value.getTime())) return 'an invalid Date'
  const name = classNameOf(value)
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`
}

/** The name comes from the program's code, and is cut in case it does not. */
function classNameOf(value: object): string {
  const itsClass: unknown = value.constructor
  const name = typeof itsClass === 'function' ? itsClass.name : ''
  return /^[\w$]{1,40}$/.test(name)
    ? name
    : Object.prototype.toString.call(value).slice(8, 48).replace(']', '')
}
