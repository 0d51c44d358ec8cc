import type { CreateCacheOptions } from 'cachewright'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import type { Scene } from './scene.ts'

/** A cache over its own client, and over each `ioredis` of the caller's, for `describe.each`. */
export function clientKinds(
  scene: Scene,
): readonly (readonly [name: string, options: (server: { readonly url: string }) => CreateCacheOptions])[] {
  const lent = (client: Redis | Redis5): CreateCacheOptions => {
    ;(client as Redis).on('error', () => {})
    scene.later(() => client.disconnect())
    return { client }
  }
  return [
    ['its own client', ({ url }) => ({ redis: url })],
    ["a caller's ioredis 5", ({ url }) => lent(new Redis5(url))],
    ["a caller's ioredis 6", ({ url }) => lent(new Redis(url))],
  ]
}
