// As `undici-responses.test.ts`: undici's cache interceptor, a real HTTP server, and two agents that stand for two processes.
// Here: what invalidates a stored response, and above all one whose body is still on its way.
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useHttpProcesses } from './undici-processes.ts'

const { open, origin } = useHttpProcesses()

describe('an invalidation', () => {
  test('by an unsafe method reaches all variants in all processes', async () => {
    origin.answerWithCount({ vary: 'Accept' })
    const [first, second] = [open(), open()]
    const accept = { headers: { accept: 'text/html' } }
    await first.fetch('/page', accept)
    await first.stored('/page')
    expect((await second.fetch('/page', accept)).text).toBe('answer 1')
    expect((await first.fetch('/page', { method: 'POST' })).text).toBe('answer 2')
    await waitUntil(async () => !(await first.has('/page')), { what: 'the deletion' })
    expect((await first.fetch('/page', accept)).text).toBe('answer 3')
    await first.stored('/page')
    await waitUntil(async () => (await second.fetch('/page', accept)).text === 'answer 3', {
      what: 'the other process to hear of it',
    })
  })

  test('reaches the place that Location names', async () => {
    origin.answerWithCount()
    const process = open()
    await process.fetch('/new')
    await process.stored('/new')
    origin.answer((_request, response) => response.writeHead(201, { location: '/new' }).end())
    await process.fetch('/create', { method: 'PUT' })
    await waitUntil(async () => !(await process.has('/new')), { what: 'the deletion' })
  })

  test('is none if the unsafe method failed', async () => {
    origin.answerWithCount()
    const process = open()
    await process.fetch('/page')
    await process.stored('/page')
    origin.answer((_request, response) => response.writeHead(500).end())
    await process.fetch('/page', { method: 'DELETE' })
    expect((await process.fetch('/page')).text).toBe('answer 1')
  })

  test.each(['the same process', 'another process'])(
    'by %s while the body is on its way keeps that body out of the cache',
    async (who) => {
      let finish = () => {}
      origin.answer(({ method }, response) => {
        if (method === 'GET') {
          response.writeHead(200, { 'cache-control': 'max-age=60' }).write('old ')
          finish = () => response.end('body')
        } else {
          response.end()
        }
      })
      const process = open()
      const other = who === 'the same process' ? process : open()
      const refused: string[] = []
      process.cache.on('fill-refused', ({ reason }) => refused.push(reason))

      let deletions = 0
      other.cache.on('delete', () => deletions++)

      const { body } = await request(`${origin.url}/page`, { dispatcher: process.dispatcher })
      await other.fetch('/page', { method: 'POST' })
      await waitUntil(() => deletions > 0, { what: 'the deletion' })
      finish()
      expect(await body.text()).toBe('old body')
      await waitUntil(() => refused.length > 0, { what: 'the fill to be refused' })
      expect(refused).toEqual(['changed'])
      expect(await process.has('/page')).toBe(false)
    },
  )

  test('that is sent before the headers have come counts as well', async () => {
    let reply = () => {}
    origin.answer((_request, response) => {
      reply = () => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('old')
    })
    const [process, other] = [open(), open()]
    const refused: string[] = []
    process.cache.on('fill-refused', ({ reason }) => refused.push(reason))
    const fetching = process.fetch('/page')
    await waitUntil(() => origin.requests.length === 1, { what: 'the request' })
    await other.store.delete({ origin: origin.url, method: 'GET', path: '/page' })
    reply()
    expect((await fetching).text).toBe('old')
    await waitUntil(() => refused.length > 0, { what: 'the fill to be refused' })
    expect(await process.has('/page')).toBe(false)
  })
})
