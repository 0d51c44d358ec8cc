import { performance as systemPerformance } from 'node:perf_hooks'
import timers from 'node:timers'

/*
 * The timers and the clock of the system, as they are when this module is loaded. All sources use these instead of the
 * globals: a test that replaces the globals with fake ones must not stop deadlines, retries and batches of a cache that
 * outlives the test, and it could not make them consistent with sockets anyway. Time that a test can advance is an
 * option: the `clock` of a cache.
 */

export const setTimeout: typeof timers.setTimeout = timers.setTimeout
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout
export const setInterval: typeof timers.setInterval = timers.setInterval
export const clearInterval: typeof timers.clearInterval = timers.clearInterval
export const setImmediate: typeof timers.setImmediate = timers.setImmediate
export const clearImmediate: typeof timers.clearImmediate = timers.clearImmediate
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask
export const nextTick: typeof process.nextTick = process.nextTick

/** Milliseconds (with fractions) since the process began, by the system's monotonic clock. */
export const systemMs: () => number = systemPerformance.now.bind(systemPerformance)

/** Milliseconds since 1970, by the wall clock. It may be set, and it goes on while the machine sleeps. */
export const wallMs: () => number = Date.now
