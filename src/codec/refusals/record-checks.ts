import { EventEmitter } from 'node:events'
import { kindOf, Refusal } from './refusal.ts'

/** Whether an object has no class, in whatever realm it was made. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    Object.getPrototypeOf(prototype as object) === null
  )
}

/**
 * Refuses an instance of a class whose content is not in its properties, so that a record of them would not be the
 * value: a Map, a Response, an Error, an iterator, a stream, … Nearly every class of the language and of the web has a
 * tag (`Symbol.toStringTag`) or is known to `Object.prototype.toString`; the classes of a program have none, and are
 * stored as the record of their properties.
 * @throws Refusal
 */
export function assertDataClass(value: object): void {
  if (Object.prototype.toString.call(value) !== '[object Object]' || value instanceof EventEmitter) {
    throw new Refusal(kindOf(value))
  }
}

/**
 * Refuses an object without a property to store, unless it is really empty: its content is in private fields, in
 * properties named by symbols, or behind accessors of its class.
 * @throws Refusal
 */
export function assertEmptyRecord(value: object, isPlain: boolean): void {
  if (isPlain && Reflect.ownKeys(value).length === Object.keys(value).length) return
  throw new Refusal(`${kindOf(value)} without a property that could be stored`)
}

/**
 * Refuses a Map, a Date, … that somebody gave properties, which the serializers leave out.
 * @throws Refusal
 */
export function assertNoProperties(value: object): void {
  for (const name in value) {
    if (Object.hasOwn(value, name)) throw new Refusal(`${kindOf(value)} with properties of its own`)
  }
}
