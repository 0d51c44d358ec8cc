import { LRUCache } from 'lru-cache'
import type { Contender } from './contender.ts'

/** A map in the process and nothing around it: no tiers, no processes, no loads in common. */
export const bareLru: Contender = {
  name: 'bare lru-cache',
  kind: 'limit',
  imports: ['lru-cache'],
  openLocal: async ({ load, localEntries }) => {
    const entries = new LRUCache<string, object>({ max: localEntries })
    const fill = async (key: string) => {
      const value = (await load(key)) as object
      entries.set(key, value)
      return value
    }
    return {
      get: (key) => {
        const value = entries.get(key)
        return value === undefined ? fill(key) : Promise.resolve(value)
      },
      set: async (key, value) => entries.set(key, value as object),
      delete: async (key) => entries.delete(key),
      close: async () => entries.clear(),
    }
  },
}
