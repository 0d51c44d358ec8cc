import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { trials } from '../../support/trials.ts'
import { assertMiss, isUndecodable, KEY, ORDER, USER } from './sample-values.ts'
import { Process, SharedPlace, structuresIn } from './shared-codec.ts'

describe('learning', () => {
  it('a shape that occurs in three values is shared and makes the entry shorter', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const first = one.encode(KEY, USER)
    one.encode(KEY, USER)
    await one.clock.advance('1m')
    assert.equal(place.replacements, 0)
    one.encode(KEY, USER)
    assert.equal(structuresIn(one.encode(KEY, USER)), 0)
    await one.clock.advance('1s')
    assert.equal(place.replacements, 1)
    const shared = one.encode(KEY, USER)
    assert.equal(structuresIn(shared), 2)
    assert.ok(shared.length < first.length)
    assert.deepEqual(one.codec.decode(KEY, shared), USER)
    assert.deepEqual(one.codec.decode(KEY, first), USER)
  })

  it('many records of a shape in one value count once', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    // More shapes than msgpackr holds at a time, so it asks for each of them again in every round.
    const round = Array.from({ length: 100 }, (_, id) => ({ [`n${id}`]: id }))
    one.encode(
      KEY,
      [round, round, round, round].flat().map((record) => ({ ...record })),
    )
    for (let times = 0; times < 2; times++)
      one.encode(
        KEY,
        Array.from({ length: 100 }, () => ({ only: [] })),
      )
    await one.clock.advance('1m')
    assert.equal(place.stored, null)
  })

  it('a shape is used only after its publication is acknowledged, and a failed publication is retried', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    place.isAway = true
    await one.learn(USER)
    assert.equal(structuresIn(one.encode(KEY, USER)), 0)
    place.isAway = false
    await one.clock.advance('31s')
    assert.equal(structuresIn(one.encode(KEY, USER)), 2)
  })

  it('values without records refer to no dictionary', async () => {
    const one = await Process.start(new SharedPlace())
    await one.learn(USER)
    for (const value of ['text', 1, null, true, 2n, new Date(), Buffer.from('x'), [1, 'a', null], []]) {
      const entry = one.encode(KEY, value)
      assert.equal(structuresIn(entry), 0)
      assert.deepEqual(one.codec.decode(KEY, entry), value)
    }
  })

  it('thousands of shapes that do not recur are not learned', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const learned = place.stored
    const count = trials(20_000, 100_000, 1_000_000)
    for (let id = 0; id < count; id++) one.encode(KEY, { [`user${id}`]: 1, [`other${id}`]: 2 })
    await one.clock.advance('1s')
    assert.equal(place.stored, learned)
    assert.deepEqual(one.codec.decode(KEY, one.encode(KEY, USER)), USER)
  }, 120_000)

  it('a full dictionary stays unchanged, and further shapes stay in their entries', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const values = Array.from({ length: 700 }, (_, id) => ({ [`n${id}`]: id }))
    await one.learn(...values)
    await one.clock.advance('1m')
    const replaced = place.replacements
    await one.learn(...values)
    assert.ok(place.replacements - replaced <= 1)
    for (const value of values) {
      const entry = one.encode(KEY, value)
      assert.equal(structuresIn(entry), 512)
      assert.deepEqual(one.codec.decode(KEY, entry), value)
    }
  })

  it('shapes with too many, too long or malformed names are not learned', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, id) => [`n${id}`, id]))
    await one.learn(many, { ['n'.repeat(129)]: 1 }, JSON.parse('{"__proto__":1}'))
    assert.equal(place.stored, null)
    assert.deepEqual(one.codec.decode(KEY, one.encode(KEY, many)), many)
  })
})

describe('several processes', () => {
  it("that learn concurrently converge on one dictionary and read each other's entries", async () => {
    const place = new SharedPlace()
    const all = await Promise.all(Array.from({ length: 5 }, () => Process.start(place)))
    const shapes = all.map((_, id) => ({ [`n${id}`]: id, common: 1 }))
    await Promise.all(all.map((one, id) => one.learn(shapes[id], USER)))
    for (const one of all) await one.clock.advance('1m')
    const entries = all.map((one, id) => one.encode(KEY, [shapes[id], USER]))
    for (const one of all) {
      for (const [id, entry] of entries.entries()) {
        assert.ok(structuresIn(entry) > 2)
        assert.deepEqual(await one.codec.decode(KEY, entry), [shapes[id], USER])
      }
    }
    const last = await Process.start(place)
    assert.equal(structuresIn(last.encode(KEY, USER)), 7)
  })

  it('whose dictionaries diverged merge both, and still read entries from before', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const old = one.encode(KEY, USER)
    place.stored = null
    const two = await Process.start(place)
    await two.learn(ORDER)
    const other = two.encode(KEY, ORDER)
    await one.clock.advance('31s')
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.equal(structuresIn(one.encode(KEY, USER)), 4)
    assert.deepEqual(one.codec.decode(KEY, old), USER)
    assert.deepEqual(one.codec.decode(KEY, other), ORDER)
    const three = await Process.start(place)
    assert.deepEqual(three.codec.decode(KEY, one.encode(KEY, [USER, ORDER])), [USER, ORDER])
    assert.deepEqual(three.codec.decode(KEY, other), ORDER)
    await assertMiss(three, old)
  })

  it("never misread each other's entries under any order of learning, loss and reading", async () => {
    const step = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('learn', 'write', 'lose', 'read', 'wait', 'corrupt', 'restart'),
      value: fc.nat(7),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const place = new SharedPlace()
        const all = await Promise.all([0, 1, 2].map(() => Process.start(place)))
        const values = Array.from({ length: 8 }, (_, id) => ({ [`n${id % 4}`]: id, [`m${id >> 1}`]: { id } }))
        const entries: { value: unknown; bytes: Buffer }[] = []
        for (const { who, what, value } of steps) {
          const one = all[who] as Process
          if (what === 'learn') await one.learn(values[value])
          else if (what === 'write')
            entries.push({ value: values[value], bytes: one.encode(KEY, values[value]) })
          else if (what === 'wait') await one.clock.advance('31s')
          else if (what === 'lose') place.stored = null
          else if (what === 'corrupt')
            place.stored = place.stored && Buffer.concat([place.stored, Buffer.from('x')])
          else if (what === 'restart') all[who] = await Process.start(place)
          for (const entry of entries.slice(-20)) {
            try {
              assert.deepEqual(await (all[who] as Process).codec.decode(KEY, entry.bytes), entry.value)
            } catch (error) {
              if (!isUndecodable(error)) throw error
            }
          }
        }
      }),
      { numRuns: trials(40, 1_000) },
    )
  }, 120_000)
})
