import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createCache } from 'cachewright'

/** Less than the platform waits between SIGTERM and SIGKILL: Docker 10 s, Kubernetes 30 s. */
const GRACE_MS = Number(process.env.GRACE_MS ?? 5_000)

const cache = createCache({
  redis: process.env.REDIS_URL,
  prefix: 'shop:',
  errors: 'throw',
  ttl: '1m',
  staleWhileRevalidate: '1h',
  shutdown: { drain: '2s' },
})
cache.on('error', ({ error, operation }) => console.error(operation, error.code, error.message))

/** The source: slow, and worth a cache. */
async function findProduct(id: string, signal: AbortSignal): Promise<string> {
  const found = await fetch(`${process.env.SOURCE_URL}/${id}`, { signal })
  return found.text()
}

const server = createServer(async ({ method, url = '/' }, response) => {
  const id = url.slice(1)
  const gone = new AbortController()
  response.once('close', () => gone.abort()) // nobody waits for the answer any more
  try {
    if (method === 'DELETE') {
      await cache.delete(`product:${id}`)
      answer(response, 204)
    } else {
      const load = ({ signal }: { signal: AbortSignal }) => findProduct(id, signal)
      answer(response, 200, await cache.getOrSet(`product:${id}`, load, { signal: gone.signal }))
    }
  } catch {
    answer(response, 503)
  }
})

function answer(response: ServerResponse, status: number, text = ''): void {
  // A client that keeps its connection would send the next request to a server that is leaving.
  if (!server.listening) response.setHeader('connection', 'close')
  response.writeHead(status).end(text)
}

process.once('SIGTERM', async () => {
  server.close() // nothing new is accepted, and idle connections are closed
  const grace = setTimeout(() => server.closeAllConnections(), GRACE_MS)
  await once(server, 'close') // every request has been answered, or the time is over
  clearTimeout(grace)
  await cache.shutdown() // leases are given back, and invalidations that wait for Redis are sent once more
  // Nothing is left that would keep the process alive: it ends without process.exit(), with code 0.
})

server.listen(Number(process.env.PORT ?? 3_000), () => console.log('listening', server.address()))
