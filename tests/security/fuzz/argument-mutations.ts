import { types } from 'node:util'
import type { Chance } from './chance.ts'

const TEXTS = [
  '',
  'a',
  'b',
  '"',
  '","',
  '\\',
  ',',
  '1',
  '[',
  ']',
  '{',
  '}',
  '=>',
  ':',
  'Map{',
  'sha256:',
  'null',
  '\ud800',
]
const NAMES = ['a', 'b', '', '"', 'a":1,"b', '__proto__', 'toJSON', '0', 'length']

const LEAVES: readonly ((chance: Chance) => unknown)[] = [
  (chance) => chance.pick([undefined, null, true, false, 0, -0, 1, Number.NaN, 1e21, 1n, -1n]),
  (chance) => chance.border(),
  (chance) => chance.pick(TEXTS) + chance.pick(TEXTS),
  (chance) => new Date(chance.below(3)),
  (chance) => new URL(`https://a.example/${chance.below(3)}`),
  (chance) => new RegExp(chance.pick(['a', 'b', '"']), chance.pick(['', 'g', 'u'])),
  (chance) => chance.pick([Buffer, Uint8Array, Int16Array, Float64Array]).from([chance.below(3), 1]),
  (chance) => Uint8Array.of(chance.below(3)).buffer,
  (chance) =>
    chance.pick([() => 1, Symbol('a'), Promise.resolve(1), new WeakMap(), new (class A {})(), Array(1)]),
]

/** A value of at most three levels. */
export function freshValue(chance: Chance, depth = 3): unknown {
  if (depth === 0 || chance.happens(0.4)) return chance.pick(LEAVES)(chance)
  const items = Array.from({ length: chance.below(4) }, () => freshValue(chance, depth - 1))
  return containerOf(items, chance)
}

function containerOf(items: readonly unknown[], chance: Chance): unknown {
  switch (chance.below(4)) {
    case 0:
      return items
    case 1:
      return recordOf(items.map((item) => [chance.pick(NAMES), item]))
    case 2:
      return new Map(items.map((item) => [chance.happens(0.5) ? chance.pick(NAMES) : item, item]))
    default:
      return new Set(items)
  }
}

function recordOf(entries: Iterable<readonly [string, unknown]>): object {
  return Object.fromEntries(entries)
}

/** A value that differs from the given one in one place, with which it shares the rest. */
export function rewritten(value: unknown, chance: Chance): unknown {
  if (chance.happens(0.3)) return changed(value, chance)
  const rewriteOne = <Item>(items: readonly Item[], rewrite: (item: Item) => Item): readonly Item[] => {
    const index = chance.below(items.length)
    return items.length === 0 ? items : items.with(index, rewrite(items[index] as Item))
  }
  const rewrite = (part: unknown): unknown => rewritten(part, chance)
  if (isOf(value, Array) && Array.isArray(value)) return rewriteOne(value, rewrite)
  if (isOf(value, Set) && types.isSet(value)) return new Set(rewriteOne([...value], rewrite))
  if (isOf(value, Map) && types.isMap(value)) {
    const rewriteEntry = ([key, item]: [unknown, unknown]): [unknown, unknown] =>
      chance.happens(0.3) ? [rewrite(key), item] : [key, rewrite(item)]
    return new Map(rewriteOne([...value], rewriteEntry))
  }
  if (!isOf(value, Object)) return changed(value, chance)
  return recordOf(
    rewriteOne(Object.entries(value), ([name, item]) =>
      chance.happens(0.2) ? [chance.pick(NAMES), item] : [name, rewrite(item)],
    ),
  )
}

function changed(value: unknown, chance: Chance): unknown {
  switch (chance.below(7)) {
    case 0:
      return freshValue(chance)
    case 1:
      return typeof value === 'string' ? chance.mutateText(value, TEXTS) : containerOf([value], chance)
    case 2:
      return [value, value]
    case 3:
      return doubled(value, chance)
    case 4:
      return disguised(value, chance)
    case 5:
      return { a: value }
    default:
      return chance.pick(LEAVES)(chance)
  }
}

/** A value in which the given one occurs so often that all of them together may be refused. */
function doubled(value: unknown, chance: Chance): unknown {
  let shared = value
  for (let level = chance.happens(0.02) ? 99 : chance.below(4); level > 0; level--)
    shared = containerOf([shared, [shared]], chance)
  return shared
}

const PROTOTYPES = [Object, Array, Map, Set, Date, RegExp, Uint8Array, Float64Array, Buffer, URL].map(
  ({ prototype }) => prototype,
)

/** An object whose prototype is that of another type. */
function disguised(value: unknown, chance: Chance): unknown {
  const fresh = chance.happens(0.5) ? containerOf([value], chance) : chance.pick(LEAVES)(chance)
  if (typeof fresh !== 'object' || fresh === null) return Object(value)
  return Object.setPrototypeOf(fresh, chance.pick(PROTOTYPES))
}

function isOf(value: unknown, type: { readonly prototype: object }): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === type.prototype
}

/** An equal value whose containers are new, and whose properties and entries stand the other way round. */
export function copyWithoutSharing(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isOf(value, Array) && Array.isArray(value)) return value.map(copyWithoutSharing)
  if (isOf(value, Map) && types.isMap(value)) {
    return new Map(
      [...value].reverse().map(([key, item]) => [copyWithoutSharing(key), copyWithoutSharing(item)]),
    )
  }
  if (isOf(value, Set) && types.isSet(value)) return new Set([...value].reverse().map(copyWithoutSharing))
  if (!isOf(value, Object) || hasSlots(value)) return value
  return recordOf(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, copyWithoutSharing(item)]),
  )
}

/** Whether an object is of a built-in type, whatever its prototype is. */
export function hasSlots(value: object): boolean {
  return Array.isArray(value) || Object.values(types).some((isOfType) => isOfType(value))
}
