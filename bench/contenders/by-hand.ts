import { BasicClientSideCache, createClient, type RedisClientOptions } from '@redis/client'
import type { Contender, Setting, Store } from './contender.ts'

/** The baseline: `@redis/client` with its timer per command turned off, which is several times as fast. */
export const tunedByHand: Contender = {
  name: '@redis/client by hand, timeout off',
  kind: 'by hand',
  imports: ['@redis/client'],
  loadsMissing: true,
  openShared: (setting) => open(setting, { commandOptions: { timeout: 0 } }),
}

export const byHandAsItComes: Contender = {
  name: '@redis/client by hand, as it comes',
  kind: 'by hand',
  imports: ['@redis/client'],
  openShared: (setting) => open(setting, {}),
}

/** The client's own tier of replies, which Redis tells of changes. A hit still has to be parsed. */
export const clientSideCache: Contender = {
  name: '@redis/client client-side cache',
  kind: 'peer',
  imports: ['@redis/client'],
  loadsMissing: true,
  isTiered: true,
  openLocal: (setting) =>
    open(setting, {
      RESP: 3,
      clientSideCache: new BasicClientSideCache({
        ttl: 0,
        maxEntries: setting.localEntries,
        evictPolicy: 'LRU',
      }),
    }),
}

async function open(
  { format, load, loadMany, prefix, ttlMs, url }: Setting,
  options: RedisClientOptions,
): Promise<Store> {
  const client = createClient({ url, ...options })
  client.on('error', () => {}) // the command that fails tells the same
  await client.connect()
  const isText = format === 'text'
  const set = (key: string, value: unknown) =>
    client.set(prefix + key, isText ? (value as string) : JSON.stringify(value), { PX: ttlMs })
  const fill = async (key: string) => {
    const value = await load(key)
    await set(key, value)
    return value
  }
  const getMany = async (keys: string[]) => {
    const found = await client.mGet(keys.map((key) => prefix + key))
    return new Map(
      keys.map((key, position) => {
        const text = found[position] as string | null
        return [key, text === null || isText ? text : JSON.parse(text)]
      }),
    )
  }
  return {
    get: isText
      ? (key) => client.get(prefix + key)
      : async (key) => {
          const text = (await client.get(prefix + key)) as string | null
          return text === null ? fill(key) : JSON.parse(text)
        },
    set,
    delete: (key) => client.del(prefix + key),
    incr: (key) => client.incr(prefix + key),
    getMany,
    getOrSetMany: async (keys) => {
      const values = await getMany(keys)
      const missing = keys.filter((key) => values.get(key) === null)
      const loaded = await loadMany(missing)
      await Promise.all(missing.map((key, position) => set(key, loaded[position])))
      for (const [position, key] of missing.entries()) values.set(key, loaded[position])
      return values
    },
    clear: async () => {
      let cursor = '0'
      do {
        const reply = await client.scan(cursor, { MATCH: `${prefix}*`, COUNT: 1_000 })
        cursor = String(reply.cursor)
        if (reply.keys.length > 0) await client.unlink(reply.keys as string[])
      } while (cursor !== '0')
    },
    close: () => client.close(),
  }
}
