import type { CacheBackend, Counters, PlainValues, Sets } from '../contract/cache-backend.ts'

const PLAIN_VALUES: Record<keyof PlainValues, true> = {
  get: true,
  set: true,
  setIfAbsent: true,
  getAndDelete: true,
  getMany: true,
  setMany: true,
  exists: true,
  existsMany: true,
  getTtl: true,
  getTtlMany: true,
  touch: true,
  persist: true,
}
const COUNTERS: Record<keyof Counters, true> = { incr: true, decr: true, incrBig: true, decrBig: true }
const SETS: Record<keyof Sets, true> = {
  addToSet: true,
  addManyToSet: true,
  getSetMembers: true,
  removeFromSet: true,
}

/** What a cache offers of the backend under it: everything but its lifecycle, and what the cache itself does better. */
export class PlainOperations {
  readonly plain: PlainValues
  readonly counters: Counters
  readonly sets: Sets
  readonly keys: CacheBackend['keys']

  constructor(backend: CacheBackend) {
    this.plain = pick(backend, PLAIN_VALUES)
    this.counters = pick(backend, COUNTERS)
    this.sets = pick(backend, SETS)
    this.keys = (pattern, options) => backend.keys(pattern, options)
  }
}

function pick<Name extends keyof CacheBackend>(
  backend: CacheBackend,
  names: Record<Name, true>,
): Pick<CacheBackend, Name> {
  const bound = (Object.keys(names) as Name[]).map((name) => [name, backend[name].bind(backend)])
  return Object.freeze(Object.fromEntries(bound))
}
