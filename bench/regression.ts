import { startStandalone } from '../testbed/redis-standalone.ts'
import { bareLru } from './contenders/bare-lru.ts'
import { tunedByHand } from './contenders/by-hand.ts'
import { backend, backendMsgpack, cache } from './contenders/ours.ts'
import { measureAll } from './measure-all.ts'
import { formatVerdicts } from './report/markdown.ts'
import { type Verdict, verdictsOn } from './report/verdicts.ts'
import { REGRESSION_SCENARIOS } from './scenarios/scenarios.ts'
import { REGRESSION_TARGETS } from './targets.ts'

const ROUNDS = 5
const CONTENDERS = [tunedByHand, backend, backendMsgpack, cache, bareLru]

/**
 * A short run against hand-written code, with bounds that a busy machine keeps too.
 * @returns whether every bound was kept, by those scenarios that missed one in a second attempt
 */
export async function checkRegression(): Promise<boolean> {
  const redis = await startStandalone()
  const measure = async (scenarios: typeof REGRESSION_SCENARIOS): Promise<readonly Verdict[]> => {
    const options = { redis, rounds: ROUNDS, isQuick: true, contenders: CONTENDERS }
    return verdictsOn(REGRESSION_TARGETS, await measureAll(scenarios, options), [])
  }
  try {
    const first = await measure(REGRESSION_SCENARIOS)
    console.log(formatVerdicts(first))
    const missed = first.filter(({ isMet }) => !isMet)
    if (missed.length === 0) return true
    console.log('\nOnce more what was missed:')
    const isMissed = ({ name }: { readonly name: string }) =>
      missed.some(({ of }) => of.startsWith(`${name}/`))
    const second = await measure(REGRESSION_SCENARIOS.filter(isMissed))
    const again = second.filter(({ contender, of }) =>
      missed.some((verdict) => verdict.of === of && verdict.contender === contender),
    )
    console.log(formatVerdicts(again))
    return again.every(({ isMet }) => isMet)
  } finally {
    await redis.stop()
  }
}
