import { setTimeout as pause } from 'node:timers/promises'
import type { Cache, ExplainOptions, Explanation, Namespace } from 'cachewright'
import { callAsExplained } from './predictions.ts'

/** Long enough for a call that has something to serve, and no loader to wait for. */
const PENDING_MS = 150

/** Explains a call, then makes it and checks the prediction. */
export async function explained(
  cache: Cache,
  key: string,
  options: ExplainOptions = {},
  space: Namespace = cache,
): Promise<Explanation> {
  const explanation = await space.explain(key, options)
  const { step } = explanation.next
  const settle = (value: Promise<unknown>) =>
    step === 'join' || step === 'wait' ? pause(PENDING_MS) : value.catch(() => {})
  await callAsExplained(explanation, { cache, space }, key, options, settle)
  return explanation
}
