import type { Cache, ExplainedStep, ExplainOptions, Explanation } from 'cachewright'

declare const cache: Cache
declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

const explaining = cache.explain('user:1', { tags: ['users'], ttl: '5m', earlyRefresh: { beta: 1 } })
equal<typeof explaining, Promise<Explanation>>(true)

// The options of a getOrSet can be handed on as they are.
const options = { ttl: '5m', tags: ['users'], signal: AbortSignal.timeout(1_000) } as const
cache.explain('user:1', options)

const explanation = await explaining
equal<typeof explanation.next.step, ExplainedStep>(true)
const text: string = `${explanation}`
const facts: string = JSON.stringify(explanation)

// Steps can be told apart without a default.
function loads(step: ExplainedStep): boolean {
  switch (step) {
    case 'load':
    case 'load-uncached':
      return true
    case 'serve-local':
    case 'serve-shared':
    case 'serve-stale':
    case 'join':
    case 'wait':
    case 'reject':
      return false
  }
}
loads(explanation.next.step)

// Without end is told, and has to be met.
const seconds: number | null | undefined = explanation.shared.times?.freshFor
// @ts-expect-error it may be null
const left: number = explanation.shared.times?.freshFor ?? null
// @ts-expect-error an explanation is not to be changed
explanation.next = { step: 'load', reason: '' }
// @ts-expect-error tags are strings
cache.explain('user:1', { tags: [1] })
// @ts-expect-error a duration needs a unit that is known
const wrong: ExplainOptions = { ttl: '5 minutes' }

void [text, facts, seconds, left, wrong]
