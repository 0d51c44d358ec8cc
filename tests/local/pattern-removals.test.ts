import { describe, expect, test } from 'vitest'
import { LocalEntry } from '../../src/cache/local/local-entry.ts'
import { LocalTier } from '../../src/cache/local/local-tier.ts'
import { NO_GENERATIONS } from '../../src/cache/tags/generation-set.ts'

const TIMES = { readAtMs: 0, bornMs: 0, freshUntilMs: 1e9, keptUntilMs: undefined, leasedUntilMs: 0 }

function tierOf(keys: Iterable<string>): LocalTier {
  const tier = new LocalTier('p:', { maxEntries: 200_000, maxBytes: 1e9 }, () => {})
  for (const key of keys) keep(tier, key)
  return tier
}

function keep(tier: LocalTier, key: string): void {
  const read = tier.expect(`p:${key}`)
  const entry = new LocalEntry({ value: key, isCloned: false }, undefined, TIMES, NO_GENERATIONS, tier.epoch)
  tier.keep(`p:${key}`, read, entry, 10)
}

describe('a removal by pattern in the local tier', () => {
  test('takes effect at once and visits no entry', () => {
    const tier = tierOf(Array.from({ length: 100_000 }, (_, index) => `k:${index}`))
    let compared = 0
    const matches = (storedKey: string) => {
      compared++
      return storedKey === 'p:k:7'
    }
    tier.removing(matches)
    tier.removing(matches)
    expect(compared).toBe(0)
    expect(tier.peek('k:7')).toBeUndefined()
    expect(tier.peek('k:8')?.value).toBe('k:8')
    expect(compared).toBeLessThanOrEqual(3)
    tier.peek('k:8')
    expect(compared).toBeLessThanOrEqual(3)
  })

  test('removes entries kept before its end, and none kept after it', () => {
    const tier = tierOf(['a'])
    const matches = () => true
    tier.removing(matches)
    keep(tier, 'b')
    tier.removing(matches)
    keep(tier, 'c')
    expect([tier.peek('a'), tier.peek('b'), tier.peek('c')?.value]).toEqual([undefined, undefined, 'c'])
  })

  test('does not keep a read that is pending when it begins', () => {
    const tier = tierOf([])
    const read = tier.expect('p:a')
    tier.removing((storedKey) => storedKey === 'p:a')
    expect(tier.isExpected('p:a', read)).toBe(false)
  })

  test('removes an entry that missed more removals than are remembered', () => {
    const tier = tierOf(['old', 'looked at'])
    for (let removal = 0; removal < 1_500; removal++) {
      tier.removing(() => false)
      tier.peek('looked at')
    }
    expect(tier.peek('old')).toBeUndefined()
    expect(tier.peek('looked at')?.value).toBe('looked at')
  })
})
