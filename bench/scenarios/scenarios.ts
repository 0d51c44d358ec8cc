import { getMany, getOrSetMany } from './batches.ts'
import { coldStart } from './cold-start.ts'
import { counters } from './counters.ts'
import { keySpace } from './key-space.ts'
import { localHit } from './local-hit.ts'
import { memory } from './memory.ts'
import { policies } from './policies.ts'
import { redisHit } from './redis-hit.ts'
import { clear, tagInvalidation } from './removals.ts'
import type { Scenario } from './scenario.ts'
import { stampede } from './stampede.ts'
import { tagReads } from './tag-reads.ts'
import { versions } from './versions.ts'
import { deletion, set } from './writes.ts'
import { zipf } from './zipf.ts'

/** All there is to measure, in the order of a run: first what wants a young process. */
export const SCENARIOS: readonly Scenario[] = [
  keySpace,
  coldStart,
  localHit,
  policies,
  redisHit,
  getMany,
  getOrSetMany,
  set,
  deletion,
  counters,
  tagReads,
  tagInvalidation,
  clear,
  stampede,
  memory,
  zipf,
  versions,
]

/** What a regression would show in, in little time. */
export const REGRESSION_SCENARIOS: readonly Scenario[] = [localHit, redisHit, getMany, set, counters]
