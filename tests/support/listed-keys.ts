import type { CacheBackend } from 'cachewright'

/** The keys that a walk lists, in its order. */
export async function listedKeys(
  backend: Pick<CacheBackend, 'keys'>,
  ...asked: Parameters<CacheBackend['keys']>
): Promise<string[]> {
  const keys: string[] = []
  for await (const key of backend.keys(...asked)) keys.push(key)
  return keys
}
