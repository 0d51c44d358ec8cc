import type { GetOrSetOptions } from '../../src/cache/freshness/policy-options.ts'
import { ABSENT_MS } from './absences.ts'
import type { Choices } from './choices.ts'
import type { Fate } from './loads.ts'
import type { Setting } from './setting.ts'

/** XFetch with it takes nearly every value for due. */
const EAGER = 1e9

/** How loads end, and how often. */
export function fatesOf(setting: Setting): (readonly [weight: number, fate: Fate])[] {
  const fates: (readonly [number, Fate])[] = [
    [10, 'value'],
    [1, 'skip'],
    [1, 'fail'],
    [1, 'nothing'],
  ]
  if (setting.policies) fates.push([10, 'confirm'])
  if (setting.sickSource) fates.push([12, 'fail'])
  if (setting.failureMs !== undefined) fates.push([8, 'fail'], [8, 'nothing'])
  return fates
}

/** How a call wants its value to be loaded. */
export function policiesOf(choices: Choices, setting: Setting): GetOrSetOptions {
  return {
    ...(setting.policies && timesOf(choices, setting)),
    ...(setting.failureMs !== undefined && memoryOf(choices, setting, setting.failureMs)),
  }
}

function timesOf(choices: Choices, setting: Setting): GetOrSetOptions {
  return {
    ...(choices.rarely(3) && { earlyRefresh: { beta: EAGER } }),
    ...((setting.sickSource || choices.rarely(3)) && { softTimeout: '50ms' as const }),
    ...(choices.rarely(5) && { hardTimeout: '200ms' as const }),
  }
}

/** While nothing is invalidated, all calls want failures to be remembered: then no load is tried before its time. */
function memoryOf(choices: Choices, setting: Setting, failureMs: number): GetOrSetOptions {
  const isWanted = () => !setting.invalidates || !choices.rarely(3)
  return {
    retryAfterError: isWanted() && failureMs / 1_000,
    errorTtl: isWanted() && failureMs / 1_000,
    absentTtl: isWanted() && ABSENT_MS / 1_000,
  }
}
