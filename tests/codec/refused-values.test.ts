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

describe('what would be lost silently is refused', () => {
  const WITH_PROPERTIES: Readonly<Record<string, () => object>> = {
    'a Map': () => new Map([[1, 2]]),
    'a Set': () => new Set([1]),
    'a Date': () => new Date(0),
    'a RegExp': () => /a/,
    'an ArrayBuffer': () => new ArrayBuffer(1),
    'a Number': () => Object(1),
  }

  it.each(
    (['v8', 'msgpack', 'pickle'] as const).flatMap((serializer) =>
      Object.keys(WITH_PROPERTIES).map((kind) => [serializer, kind] as const),
    ),
  )('%s refuses %s with properties of its own', async (serializer, kind) => {
    const make = WITH_PROPERTIES[kind] as () => object
    for (const name of ['more', '7', 'valueOf']) {
      const message = await messageOf(serializer, { a: [Object.assign(make(), { [name]: 1 })] })
      assert.ok(message.includes(`value.a[0] is ${kind}`), message)
    }
  })

  it.each(['v8', 'msgpack'] as const)(
    '%s refuses an object that only looks like a Date',
    async (serializer) => {
      await messageOf(serializer, [Object.create(new Date(0))])
      await messageOf(serializer, [
        Object.assign(Object.create(Date.prototype), { url: new URL('http://a') }),
      ])
      const claims = Object.assign(Object.create({ constructor: Date }), { site: new URL('http://a') })
      await messageOf(serializer, claims)
    },
  )
})
