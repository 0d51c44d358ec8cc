import { createClient } from '@redis/client'

/** The source of truth: a Redis that no fault concerns, which counts how often a key was changed. */
export interface Source {
  read(key: string): Promise<number>
  /** Changes the key. Resolves with its new version. */
  commit(key: string): Promise<number>
  close(): void
}

export async function openSource(url: string, prefix: string): Promise<Source> {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return {
    read: async (key) => Number((await client.get(prefix + key)) ?? 0),
    commit: (key) => client.incr(prefix + key),
    close: () => client.destroy(),
  }
}
