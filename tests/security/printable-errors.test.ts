import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import {
  type Cache,
  CacheError,
  type CacheEvents,
  type CreateCacheOptions,
  createCache,
  type Logger,
} from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, it, vi } from 'vitest'
import { FailurePolicy } from '../../src/backend/assembly/failure-policy.ts'
import { SILENT_LOGGER } from '../../src/contract/logger.ts'
import { fromErrorReply } from '../../src/redis/port/redis-errors.ts'
import { portListener } from '../../src/redis/port/redis-timeouts.ts'
import { useClosing } from '../support/scene.ts'

/** Would color a terminal, begin a line of a log, turn the direction of the text round, hide, and end in half a character. */
const HOSTILE =
  'a\u001b[31m\nERROR forged\r\u009b1m\u007f\u2028\u2029\u202e\u2066\u200b\ufeff\u00ad\u{e0041}\u3164\ud83d'
const KEY = HOSTILE.slice(0, -1)
/** What may not be printed. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029\u3164]|\p{Surrogate}/u

const closing = useClosing({})

function assertPrintable(text: string): void {
  assert.doesNotMatch(text, UNPRINTABLE)
}

/** Whatever way the error is printed in. */
function assertErrorPrintable(error: unknown): asserts error is CacheError {
  assert.ok(error instanceof CacheError)
  assertPrintable(error.message)
  assertPrintable(String(error))
  assertPrintable(`${error.key}`)
  assertPrintable(JSON.stringify(error))
  for (const line of `${error.stack}\n${inspect(error)}`.split('\n')) {
    assertPrintable(line)
    assert.doesNotMatch(line, /^ERROR/)
  }
}

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  return assert.fail('it did not fail')
}

function recorded(): {
  readonly logger: Logger
  readonly lines: (readonly [context: object, text: string])[]
} {
  const lines: (readonly [object, string])[] = []
  const log = (context: object, text: string) => void lines.push([context, text])
  return { logger: { debug: log, warn: log, error: log }, lines }
}

describe('a key with control characters', () => {
  it('is escaped in an error and in the log, and whole in the event', async () => {
    const { logger, lines } = recorded()
    const backend = new MemoryCacheBackend<unknown>({ errors: 'throw', logger })
    const events: CacheEvents['error'][] = []
    backend.on('error', (event) => events.push(event))
    await backend.set(KEY, 'no counter')
    const error = await failureOf(() => backend.incr(KEY))
    assertErrorPrintable(error)
    assert.equal(
      error.key,
      'a\\x1b[31m\\x0aERROR forged\\x0d\\x9b1m\\x7f\\u2028\\u2029\\u202e\\u2066\\u200b\\ufeff\\xad\\u{e0041}\\u3164',
    )
    assert.deepEqual(
      events.map(({ key }) => key),
      [KEY],
    )
    assert.equal(lines.length, 1)
    for (const [context, text] of lines) {
      assertPrintable(text)
      for (const value of Object.values(context)) assertPrintable(String(value))
    }
    await backend.shutdown()
  })

  it('is cut to 100 printable characters', async () => {
    const backend = new MemoryCacheBackend<unknown>({ errors: 'throw' })
    for (const key of [KEY.repeat(100), '\u001b'.repeat(100), `${'x'.repeat(98)}😀😀`, 'é'.repeat(20_000)]) {
      await backend.set(key, 'no counter')
      const error = await failureOf(() => backend.incr(key))
      assertErrorPrintable(error)
      assert.ok(error.key !== undefined && error.key.length <= 100, error.key)
    }
    await backend.shutdown()
  })

  it('is escaped in the error of a batch, which has the whole key for programs', async () => {
    const backend = new MemoryCacheBackend<unknown>({ errors: 'throw', maxValueBytes: 100 })
    const error = await failureOf(() => backend.setMany({ [KEY]: 'x'.repeat(200) }))
    assertErrorPrintable(error)
    assert.deepEqual([...(error.failures?.keys() ?? [])], [KEY])
    await backend.shutdown()
  })

  it('is escaped in the error of a loader that waits for itself', async () => {
    const cache = closing.cache({ redis: false, detectCycles: true })
    assertErrorPrintable(await failureOf(() => cache.getOrSet(KEY, () => cache.getOrSet(KEY, () => 1))))
  })

  it('is escaped in an explanation', async () => {
    const cache = closing.cache({ redis: false })
    await cache.set(KEY, 1, { tags: [KEY], ttl: '5m' })
    const explanation = await cache.namespace('a').explain(KEY, { tags: [KEY] })
    for (const line of String(explanation).split('\n')) assertPrintable(line)
    assertPrintable(explanation.key)
    assertPrintable(explanation.storedKey)
    for (const { name } of explanation.shared.tags) assertPrintable(name)
  })
})

describe('a name with control characters', () => {
  const misuses: readonly (readonly [string, (cache: Cache) => unknown])[] = [
    ['an option', () => createCache({ redis: false, [HOSTILE]: 1 } as CreateCacheOptions)],
    ['a short value of an option', () => createCache({ redis: false, isolate: '\u009b\u202e' as 'clone' })],
    ['an invalid key', (cache) => cache.set(HOSTILE, 1)],
    ['a function', (cache) => cache.wrap(async () => 1, { name: `${HOSTILE}(` })],
    [
      'two functions',
      (cache) => [cache.wrap(async () => 1, { name: HOSTILE }), cache.wrap(async () => 2, { name: HOSTILE })],
    ],
    [
      'a class among the arguments',
      (cache) => {
        const Named = Object.defineProperty(class {}, 'name', { value: HOSTILE })
        return cache.wrap(async (_: unknown) => 1, { name: 'f' })(new Named())
      },
    ],
  ]
  it.each(misuses)('is escaped in the error: %s', async (_name, misuse) => {
    const cache = closing.cache({ redis: false })
    assertErrorPrintable(await failureOf(() => misuse(cache)))
  })

  it('is escaped in a warning of the process', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await new MemoryCacheBackend({ prefix: `${KEY}x` }).shutdown()
    const warnings = warn.mock.calls.map(([text]) => String(text))
    warn.mockRestore()
    assert.equal(warnings.length, 1)
    for (const warning of warnings) assertPrintable(warning)
  })

  it('is escaped in the events of a connection to an endpoint that a server names', () => {
    const policy = FailurePolicy.of('throw', SILENT_LOGGER)
    const told: string[] = []
    policy.events.on('connect', ({ endpoint }) => told.push(endpoint))
    policy.events.on('disconnect', ({ endpoint, reason }) => told.push(endpoint, reason))
    portListener(policy).connected(HOSTILE)
    portListener(policy).disconnected(HOSTILE, HOSTILE)
    assert.equal(told.length, 3)
    for (const text of told) assertPrintable(text)
  })

  it('is escaped where Redis quotes it', () => {
    assertErrorPrintable(fromErrorReply(`ERR unknown ${HOSTILE}`))
    assertErrorPrintable(fromErrorReply(`${HOSTILE}`))
  })
})
