import assert from 'node:assert/strict'
import type { Cache, ExplainedStep, ExplainOptions, Explanation, Namespace } from 'cachewright'

/** What a real `getOrSet` was seen to do. */
export interface Observation {
  /** `'pending'`: it waits for a load that is not its own. */
  readonly did: 'hit' | 'stale' | 'load' | 'pending' | 'reject'
  /** Whether it was answered by the local tier as fresh. */
  readonly isLocal: boolean
  readonly value: Promise<unknown>
}

/** What each step looks like from outside. */
const LOOKS: Readonly<Record<ExplainedStep, Observation['did']>> = {
  'serve-local': 'hit',
  'serve-shared': 'hit',
  'serve-stale': 'stale',
  join: 'pending',
  wait: 'pending',
  load: 'load',
  'load-uncached': 'load',
  reject: 'reject',
}

/** Marks what the loader of a probe returns. */
export const PROBED = 'loaded by the probe'

/** A cache that tells what happens, and the namespace of the key. */
interface Where {
  readonly cache: Cache
  readonly space: Namespace
}

/**
 * Makes the very call that was explained, and holds what it does against the prediction.
 * @param settle resolves when the call has come as far as it gets
 */
export async function callAsExplained(
  { next: { step }, toString: text }: Explanation,
  where: Where,
  key: string,
  options: ExplainOptions,
  settle: (value: Promise<unknown>) => Promise<unknown>,
): Promise<Observation> {
  const observation = await call(where, key, options, settle)
  assert.equal(observation.did, LOOKS[step], `it was predicted to ${step}\n${text()}`)
  if (observation.did === 'hit') assert.equal(observation.isLocal, step === 'serve-local', text())
  return observation
}

async function call(
  { cache, space }: Where,
  key: string,
  options: ExplainOptions,
  settle: (value: Promise<unknown>) => Promise<unknown>,
): Promise<Observation> {
  const seen: Observation['did'][] = []
  const endings = [
    cache.on('hit', () => seen.push('hit')),
    cache.on('stale', () => seen.push('stale')),
    cache.on('remembered-error', () => seen.push('reject')),
  ]
  let isSettled = false
  let isLoaded = false
  const value = space.getOrSet<unknown>(
    key,
    () => {
      isLoaded = true
      return PROBED
    },
    options,
  )
  // A fresh value of the local tier is told before the call returns.
  const isLocal = seen.includes('hit')
  value.then(
    () => {
      isSettled = true
    },
    () => {
      isSettled = true
    },
  )
  await settle(value)
  for (const end of endings) end()
  // A refresh in the background may have called the loader, too.
  const did = seen[0] ?? (isLoaded ? 'load' : 'pending')
  assert.equal(isSettled, did !== 'pending')
  return { did, isLocal, value }
}
