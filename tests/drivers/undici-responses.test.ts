// undici publishes no suite for its cache stores. These cases say what undici and RFC 9111 ask of a store, and it is the
// cache interceptor of the published package that calls the store. A real HTTP server answers, and two agents stand for two
// processes. Here: what is stored, and what is served. In `undici-invalidations.test.ts`: what ends that.
import { once } from 'node:events'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { IMPATIENT } from '../support/scene.ts'
import { useHttpProcesses } from './undici-processes.ts'
import type { Variants } from './undici-store.ts'

const { open, origin, scene } = useHttpProcesses()

describe('a response', () => {
  test('is fetched once by two processes, and keeps status, headers and age', async () => {
    origin.answerWithCount({ 'x-own': 'yes', 'content-type': 'text/plain' })
    const [first, second] = [open(), open()]
    await first.fetch('/page?a=1')
    await first.stored('/page?a=1')
    for (const process of [first, second, second]) {
      const { headers, status, text } = await process.fetch('/page?a=1')
      expect({ status, text }).toEqual({ status: 200, text: 'answer 1' })
      expect(headers).toMatchObject({ 'x-own': 'yes', 'content-type': 'text/plain' })
      expect(Number(headers.age)).toBeLessThan(60)
    }
    expect((await second.fetch('/page?a=2')).text).toBe('answer 2')
    expect(origin.requests).toEqual(['GET /page?a=1', 'GET /page?a=2'])
  })

  test('of bytes comes back as these bytes, and an empty one as nothing', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256))
    origin.answer(({ url }, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(url === '/bytes' ? bytes : '')
    })
    const [first, second] = [open(), open()]
    for (const process of [first, second]) {
      const { body } = await request(`${origin.url}/bytes`, { dispatcher: process.dispatcher })
      expect(Buffer.compare(Buffer.from(await body.arrayBuffer()), bytes)).toBe(0)
      expect((await process.fetch('/empty')).text).toBe('')
      await Promise.all([process.stored('/bytes'), process.stored('/empty')])
    }
    expect(origin.requests).toHaveLength(2)
  })

  test('that a shared cache must not keep is not kept', async () => {
    const process = open()
    for (const headers of [
      { 'cache-control': 'no-store' },
      { 'cache-control': 'private, max-age=60' },
      { vary: '*' },
      { 'set-cookie': 'a=1' },
    ]) {
      origin.answerWithCount(headers)
      expect((await process.fetch('/page')).text).toBe('answer 1')
      expect((await process.fetch('/page')).text).toBe('answer 2')
    }
  })

  test('to HEAD is kept beside the one to GET', async () => {
    origin.answerWithCount()
    const process = open()
    await process.fetch('/page', { method: 'HEAD' })
    await process.stored('/page')
    expect((await process.fetch('/page')).text).toBe('answer 2')
    await process.stored('/page', 2)
    expect((await process.fetch('/page')).text).toBe('answer 2')
    expect((await process.fetch('/page', { method: 'HEAD' })).text).toBe('')
    expect(origin.requests).toEqual(['HEAD /page', 'GET /page'])
  })

  test('is kept for each value of the headers that it varies by', async () => {
    origin.answer(({ headers }, response) => {
      response
        .writeHead(200, { 'cache-control': 'max-age=60', vary: 'Accept-Language' })
        .end(`in ${headers['accept-language'] ?? 'any language'}`)
    })
    const [first, second] = [open(), open()]
    const languages = ['en', 'de', undefined]
    const ask = (process: ReturnType<typeof open>, language: string | undefined) =>
      process.fetch('/page', { headers: language === undefined ? {} : { 'accept-language': language } })
    for (const [index, language] of languages.entries()) {
      await ask(first, language)
      await first.stored('/page', index + 1)
    }
    for (const process of [first, second]) {
      for (const language of languages) {
        expect((await ask(process, language)).text).toBe(`in ${language ?? 'any language'}`)
      }
    }
    expect(origin.requests).toHaveLength(3)
  })

  test('is delivered whole but not kept if it is larger than the bound', async () => {
    const process = open({}, { maxEntrySize: 100_000 })
    const body = 'x'.repeat(100_001)
    origin.answer((_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(body)
    })
    expect((await process.fetch('/large')).text).toBe(body)
    expect((await process.fetch('/large')).text).toBe(body)
    expect(origin.requests).toHaveLength(2)
    expect(await process.has('/large')).toBe(false)
  })

  test('comes also while Redis is away', async () => {
    origin.answerWithCount()
    const server = await scene.server()
    const process = open({ ...IMPATIENT, redis: server.url })
    await process.cache.initialize()
    await server.kill()
    expect((await process.fetch('/page')).text).toBe('answer 1')
    expect((await process.fetch('/page')).text).toBe('answer 2')
  })
})

describe('a stale response', () => {
  test('is asked about by its ETag, and served again if it is the same', async () => {
    const asked: (string | undefined)[] = []
    let version = 1
    origin.answer(({ headers }, response) => {
      const tag = headers['if-none-match']
      asked.push(tag)
      const isSame = tag === `"v${version}"`
      response.writeHead(isSame ? 304 : 200, {
        ...(isSame ? {} : { 'cache-control': 'max-age=0' }),
        etag: `"v${version}"`,
      })
      response.end(isSame ? undefined : `version ${version}`)
    })
    const [first, second] = [open(), open()]
    expect((await first.fetch('/page')).text).toBe('version 1')
    await first.stored('/page')
    expect((await first.fetch('/page')).text).toBe('version 1')
    expect((await second.fetch('/page')).text).toBe('version 1')
    version = 2
    expect((await first.fetch('/page')).text).toBe('version 2')
    await waitUntil(
      async () => {
        const [variant] = (await second.cache.get<Variants>(`${origin.url}/page`)) ?? []
        return variant?.body.toString() === 'version 2'
      },
      { what: 'the new version to be stored' },
    )
    expect((await second.fetch('/page')).text).toBe('version 2')
    expect(asked).toEqual([undefined, '"v1"', '"v1"', '"v1"', '"v2"'])
  })

  test('is served while one request fetches a new one, with stale-while-revalidate', async () => {
    origin.answerWithCount({ 'cache-control': 'max-age=1, stale-while-revalidate=60' })
    const process = open()
    await process.fetch('/page')
    await process.stored('/page')
    await waitUntil(async () => (await process.fetch('/page')).headers.warning !== undefined, {
      what: 'a stale answer',
    })
    await waitUntil(async () => (await process.fetch('/page')).text !== 'answer 1', { what: 'a new answer' })
  })
})

describe('a body that does not arrive', () => {
  test('is not stored if the server breaks off', async () => {
    let isBroken = true
    origin.answer((_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': 10 })
      response.write('half ')
      if (isBroken) setTimeout(() => response.destroy(), 20)
      else response.end('whole')
    })
    const process = open()
    await expect(process.fetch('/page')).rejects.toThrow()
    await process.cache.idle()
    expect(await process.has('/page')).toBe(false)
    isBroken = false
    expect((await process.fetch('/page')).text).toBe('half whole')
  })

  test('is not stored if the client breaks off', async () => {
    origin.answer((_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' })
      response.write('first part')
    })
    const process = open()
    const { body } = await request(`${origin.url}/page`, { dispatcher: process.dispatcher })
    body.on('error', () => {})
    await once(body, 'data')
    body.destroy()
    await process.cache.idle()
    expect(await process.has('/page')).toBe(false)
  })
})
