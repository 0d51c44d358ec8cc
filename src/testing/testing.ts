export type { Clock, Timers } from '../foundation/clock.ts'
export type { ContractSuiteOptions, TestRunner } from './contract/check.ts'
export { describeCacheBackend } from './contract-suite.ts'
export { ManualClock } from './manual-clock.ts'
