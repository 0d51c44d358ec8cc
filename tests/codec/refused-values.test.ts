import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import type { Serializer, SerializerName } from '../../src/contract/serializer.ts'

async function messageOf(serializer: SerializerName | Serializer, value: unknown): Promise<string> {
  const codec = new ValueCodec({ serializer, readers: [], compression: undefined, maxValueBytes: 1_000_000 })
  await codec.prepare()
  try {
    codec.encode('key', value)
  } catch (error) {
    return (error as Error).message
  }
  assert.fail('the value was not refused')
}

const cycle: Record<string, unknown> = { name: 'a' }
cycle.self = { back: [cycle] }

describe('the error of a value that cannot be stored', () => {
  it.each([
    ['json', { user: { roles: [1, new Set()] } }, 'value.user.roles[1] is a Set'],
    ['json', new Response('x'), 'it is a Response'],
    ['json', [1, Number.NaN], 'value[1] is NaN'],
    ['json', { at: new Date(Number.NaN) }, 'value.at is an invalid Date'],
    ['json', { big: { n: 1n } }, 'value.big.n is a bigint'],
    ['json', { price: { toJSON: () => new Map() } }, 'value.price is a Map'],
    ['json', cycle, 'value.self.back[0] is a cycle'],
    ['json', { run: () => 1 }, 'value.run is a function'],
    ['v8', { site: [new URL('http://a')] }, 'value.site[0] is a URL'],
    ['v8', new Map([['a', { f: () => 1 }]]), 'value.a.f is a function'],
    ['msgpack', { a: { text: '\ud800' } }, 'value.a.text is a string with a lone surrogate'],
    ['msgpack', { a: [{ __keys__: 1 }] }, 'value.a[0].__keys__ is a property that msgpack cannot store'],
    ['pickle', { a: [{ b: /x/ }] }, 'value.a[0].b is a RegExp'],
  ] as const)('%s names the part: %o', async (serializer, value, text) => {
    const message = await messageOf(serializer, value)
    assert.ok(message.includes(`The serializer '${serializer}' cannot store this value: ${text}`), message)
  })

  it('names the serializers that can store it, or says that none can', async () => {
    const can = (message: string) => message.slice(message.indexOf('. ') + 2)
    assert.match(can(await messageOf('json', { a: new Map() })), /^The serializer 'msgpack' or 'v8' can;/)
    assert.match(can(await messageOf('json', Object(1))), /^The serializer 'v8' can;/)
    assert.match(can(await messageOf('v8', new URL('http://a'))), /^The serializer 'msgpack' can;/)
    assert.match(can(await messageOf('json', [new Response('x')])), /^No serializer can;/)
  })

  it('P41 quotes no value, and no name that may be data', async () => {
    const secret = 'secret'
    const leaky: Serializer = {
      id: 'test/leaky',
      encode: (value) => {
        throw new Error(`cannot encode ${JSON.stringify(value)}`)
      },
      decode: () => undefined,
    }
    for (const message of [
      await messageOf('json', { [`${secret}@example.org`]: new Map([[secret, secret]]) }),
      await messageOf('v8', new Map([[{ secret }, Object.assign(new Error(secret), { secret })]])),
      await messageOf('msgpack', {
        a: Object.assign(new Error(secret), { cause: { run: () => secret } }),
      }),
      await messageOf('pickle', new Set([[secret]])),
      await messageOf(leaky, { secret }),
    ]) {
      assert.ok(!message.includes(secret), message)
    }
  })

  it('ends for a value that is nested without end', async () => {
    let value: unknown = () => 1
    for (let depth = 0; depth < 1_000; depth++) value = { a: value }
    assert.match(await messageOf('json', value), /it is nested more than 500 levels deep/)
  })
})

describe('json stores what toJSON yields', () => {
  it.each([
    [
      'a date of a library',
      class {
        $d = new Date(0)
        $locale = () => 'en'
        toJSON() {
          return this.$d.toISOString()
        }
      },
      '1970-01-01T00:00:00.000Z',
    ],
    [
      'a decimal',
      class {
        s = 1
        constructor_ = Map
        toJSON() {
          return '1.50'
        }
      },
      '1.50',
    ],
    [
      'a wrapper',
      class {
        map = new Map([['a', 1]])
        toJSON() {
          return Object.fromEntries(this.map)
        }
      },
      { a: 1 },
    ],
  ])('%s', async (_, Class, form) => {
    const codec = new ValueCodec({
      serializer: 'json',
      readers: [],
      compression: undefined,
      maxValueBytes: 1_000,
    })
    await codec.prepare()
    const stored = codec.encode('key', { deep: [new Class()] })
    assert.deepEqual(codec.decode('key', Buffer.from(stored as string)), { deep: [form] })
  })
})
