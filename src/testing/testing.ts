/**
 * For tests of a program that uses a cache: {@link SimulatedRedis}, a Redis in the memory of the process that several caches
 * share; {@link Faults} between caches and Redis, which {@link injectFaults} puts into a backend; {@link ManualClock}, whose
 * time passes when a test advances it; and {@link describeCacheBackend}, the contract of backends as a suite, for a backend
 * of your own.
 * @module cachewright/testing
 */
export type { Clock, Timers } from '../foundation/time/clock.ts'
export type { ContractSuiteOptions, TestRunner } from './contract/check.ts'
export { describeCacheBackend } from './contract/contract-suite.ts'
export type { FaultScope } from './faults/armed-fault.ts'
export { type FailOptions, Faults, type FaultsOptions } from './faults/faults.ts'
export { injectFaults } from './faults/inject-faults.ts'
export { ManualClock } from './simulated/manual-clock.ts'
export { SimulatedRedis } from './simulated/simulated-redis.ts'
