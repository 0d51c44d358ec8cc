import { types } from 'node:util'
import { MAX_CONTAINERS, MAX_DEPTH, nestedTooDeep, tooManyContainers } from '../refusals/limits.ts'

/** The shortest form of a container takes this many bytes. */
const SMALLEST_CONTAINER_BYTES = 3

/**
 * Checks a value of the structured clone of V8, whose bytes only V8 reads. Most payloads are too short to exceed a limit.
 * @param payloadBytes the size of the payload that holds the value
 * @throws LimitExceeded
 */
export function assertCloneLimits(value: unknown, payloadBytes: number): void {
  if (payloadBytes <= SMALLEST_CONTAINER_BYTES * MAX_DEPTH) return
  const seen = new Set<unknown>()
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null || seen.has(item)) continue
      seen.add(item)
      if (depth === MAX_DEPTH) throw nestedTooDeep()
      if (seen.size > MAX_CONTAINERS) throw tooManyContainers()
      for (const part of partsOf(item)) next.push(part)
    }
    level = next
  }
}

function partsOf(container: object): Iterable<unknown> {
  if (Array.isArray(container) || types.isSet(container)) return container
  if (types.isMap(container)) return [...container].flat()
  return ArrayBuffer.isView(container) ? [] : Object.values(container)
}
