import type { CreateCacheOptions } from 'cachewright'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import type { Scene } from './scene.ts'

/** A cache over its own client, and over each `ioredis` of the caller's, for `describe.each`. */
export function clientKinds(
  scene: Scene,
): readonly (readonly [name: string, options: (server: { readonly url: string }) => CreateCacheOptions])[] {
  return [
    ['its own client', ({ url }) => ({ redis: url })],
    ["a caller's ioredis 5", ({ url }) => lent(scene, new Redis5(url))],
    ["a caller's ioredis 6", ({ url }) => lent(scene, new Redis(url))],
  ]
}

/** The option `client` with this client, which ends with the test. */
export function lent<Client extends Redis | Redis5>(
  scene: Scene,
  client: Client,
): { readonly client: Client } {
  ;(client as Redis).on('error', () => {})
  scene.later(() => client.disconnect())
  return { client }
}
