import { types } from 'node:util'
import { exceededLimit, NestedTooDeep } from './limits.ts'
import { kindOf, Refusal, WholeRefusal } from './refusal.ts'

/** The most steps of a path. */
const LONGEST_PATH = 20
const LONGEST_NAME = 40

/** A part of a value, in a container that holds nothing else. */
interface Part {
  /** As it is written in a path: `.name`, `[3]`. */
  readonly step: string
  readonly item: unknown
  readonly alone: unknown
}

/**
 * Says which part of a value a serializer refuses: `'value.user.roles is a Set'`, `'it is a Response'`. It quotes no value,
 * and of the names in the path only those that look like names in a program.
 *
 * It tries parts one by one and descends into the first that is refused. So an encoder needs to keep no path, which
 * would cost time whenever it succeeds, and this works for the serializers of a caller, too.
 */
export function explainRefusal(value: unknown, encode: (value: unknown) => unknown): string {
  const error = errorOf(value, encode)
  if (error instanceof WholeRefusal) return `it is ${error.message}`
  // An encoder exhausts the call stack before it has counted that far.
  const isTooDeep =
    error instanceof NestedTooDeep || (error instanceof RangeError && exceededLimit(value) === 'levels')
  if (isTooDeep) return `it is ${new NestedTooDeep().message}`
  const within = new Set<unknown>()
  let path = 'value'
  let part = value
  let reason = textOf(error)
  while (within.size < LONGEST_PATH && !within.has(part)) {
    within.add(part)
    const refused = firstRefused(part, encode)
    if (refused === undefined) return `${path === 'value' ? 'it' : path} is ${reason ?? kindOf(part)}`
    path += refused.step
    part = refused.item
    reason = textOf(errorOf(refused.alone, encode))
  }
  return within.has(part) ? `${path} is a cycle` : `a part of ${path} is ${reason ?? kindOf(part)}`
}

/** The text of the refusal; `undefined` if it is an error of another class, which may quote the value. */
function textOf(error: unknown): string | undefined {
  return error instanceof Refusal ? error.message : undefined
}

function firstRefused(container: unknown, encode: (value: unknown) => unknown): Part | undefined {
  for (const part of partsOf(container)) {
    if (errorOf(part.alone, encode) !== undefined) return part
  }
  return undefined
}

function errorOf(value: unknown, encode: (value: unknown) => unknown): unknown {
  try {
    encode(value)
    return undefined
  } catch (error) {
    return error ?? 'an error'
  }
}

function* partsOf(container: unknown): Generator<Part, void> {
  if (typeof container !== 'object' || container === null || 'toJSON' in container) return
  if (Array.isArray(container)) {
    for (let index = 0; index < container.length; index++) {
      yield { step: `[${index}]`, item: container[index], alone: [container[index]] }
    }
  } else if (types.isMap(container)) {
    for (const [key, item] of container) {
      yield { step: '[a key]', item: key, alone: new Map([[key, 0]]) }
      yield { step: typeof key === 'string' ? stepTo(key) : '[…]', item, alone: new Map([[key, item]]) }
    }
  } else if (types.isSet(container)) {
    for (const item of container) yield { step: '[a member]', item, alone: new Set([item]) }
  } else {
    for (const [name, item] of Object.entries(container)) {
      yield { step: stepTo(name), item, alone: { [name]: item } }
    }
  }
}

/** A name that does not look like one may be data, as that of a token or an e-mail address. */
function stepTo(name: string): string {
  return name.length <= LONGEST_NAME && /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : '[…]'
}
