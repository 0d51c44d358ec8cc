// What is bundled into one file, with the library, the Redis client and the serializers. Argument: the settings.
import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { make, tell } from './checks.ts'

const { server } = JSON.parse(process.argv[2] as string)

async function main(): Promise<void> {
  const cache = createCache({
    redis: server.url,
    prefix: 'bundled:',
    serializer: 'msgpack',
    compression: 'gzip',
  })
  const value = { text: 'x'.repeat(5_000), at: new Date(0) }
  await make({
    title: 'a bundle stores and reads',
    body: async () => {
      assert.deepEqual(await cache.getOrSet('key', () => value), value)
      assert.deepEqual(await cache.get('key', { local: false }), value)
    },
  })
  await cache.shutdown()
  tell({ done: true })
}

void main()
