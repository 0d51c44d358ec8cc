import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LocalEntry } from '../../src/cache/local/local-entry.ts'
import { LocalShelf } from '../../src/cache/local/local-shelf.ts'
import { PatternRemovals } from '../../src/cache/local/pattern-removals.ts'
import { NO_GENERATIONS } from '../../src/cache/tags/generation-set.ts'

const TIMES = { readAtMs: 0, bornMs: 0, freshUntilMs: 1e9, keptUntilMs: undefined, leasedUntilMs: 0 }
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']

const name = fc.constantFrom(...NAMES)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('put'), name, bytes: fc.nat(1_600) }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('put again'), name, bytes: fc.nat(1_600) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('delete'), name }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('use'), name }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('clear'), name }) },
)

const newEntry = () => new LocalEntry({ value: {}, isCloned: false }, undefined, TIMES, NO_GENERATIONS, 0)

test('a shelf finds the entries that it holds, and no other, also if a listener puts more', () => {
  const run = fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, isBusy) => {
    let depth = 0
    const shelf: LocalShelf = new LocalShelf({
      rootPrefix: '',
      bounds: { maxEntries: 4, maxBytes: 1_500 },
      removals: new PatternRemovals(),
      onEvict: () => {},
      onGone: (_entry, gone) => {
        if (!isBusy || depth > 2) return
        depth++
        shelf.put(gone === 'a' ? 'b' : gone, newEntry(), 10)
        depth--
      },
    })
    for (const [moment, one] of steps.entries()) {
      const there = shelf.peek(one.name)
      if (one.does === 'delete') shelf.delete(one.name)
      else if (one.does === 'clear') shelf.clear()
      else if (one.does === 'use' && there !== undefined) shelf.used(one.name, there, 1_000 * moment)
      else if ('bytes' in one) {
        const entry = (one.does === 'put again' && there) || newEntry()
        const isKept = shelf.put(one.name, entry, one.bytes)
        if (!isBusy) expect(shelf.peek(one.name)).toBe(isKept ? entry : undefined)
      }
      const held = new Map(shelf.all)
      expect(shelf.usage.entries).toBe(held.size)
      for (const asked of NAMES) expect(shelf.peek(asked)).toBe(held.get(asked))
    }
  })
  fc.assert(run, { numRuns: 5_000 })
})
