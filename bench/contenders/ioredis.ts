import { Redis } from 'ioredis'
import type { Contender } from './contender.ts'

export const ioredisByHand: Contender = {
  name: 'ioredis by hand',
  kind: 'by hand',
  imports: ['ioredis'],
  openShared: async ({ format, load, prefix, ttlMs, url }) => {
    const client = new Redis(url)
    const isText = format === 'text'
    const set = (key: string, value: unknown) =>
      client.set(prefix + key, isText ? (value as string) : JSON.stringify(value), 'PX', ttlMs)
    const fill = async (key: string) => {
      const value = await load(key)
      await set(key, value)
      return value
    }
    return {
      get: isText
        ? (key) => client.get(prefix + key)
        : async (key) => {
            const text = await client.get(prefix + key)
            return text === null ? fill(key) : JSON.parse(text)
          },
      set,
      delete: (key) => client.del(prefix + key),
      incr: (key) => client.incr(prefix + key),
      getMany: async (keys) => {
        const found = await client.mget(keys.map((key) => prefix + key))
        return new Map(
          keys.map((key, position) => {
            const text = found[position] ?? null
            return [key, text === null || isText ? text : JSON.parse(text)]
          }),
        )
      },
      close: () => client.quit(),
    }
  },
}
