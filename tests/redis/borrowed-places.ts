import { createClient, createCluster } from '@redis/client'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'

/** A client that a caller has opened, and what closes it. */
export interface OwnedClient<Client> {
  readonly client: Client
  close(): void
}

type Places = readonly { readonly host: string; readonly port: number }[]

/** Opens a caller's client of each library, for one server and for a cluster. */
export const CALLERS_CLIENTS = {
  single: {
    '@redis/client': async (url: string) => {
      const client = createClient({ url })
      client.on('error', () => {})
      await client.connect()
      return { client, close: () => client.destroy() }
    },
    'ioredis 6': async (url: string, options: object = {}) => closing(new Redis(url, options)),
    'ioredis 5': async (url: string, options: object = {}) => closing(new Redis5(url, options)),
  },
  cluster: {
    '@redis/client': async (places: Places) => {
      const client = createCluster({ rootNodes: places.map((socket) => ({ socket })) })
      client.on('error', () => {})
      await client.connect()
      return { client, close: () => client.destroy() }
    },
    'ioredis 6': async (places: Places, options: object = {}) => closing(new Cluster([...places], options)),
    'ioredis 5': async (places: Places, options: object = {}) => closing(new Cluster5([...places], options)),
  },
} as const

function closing<Client extends Redis | Redis5 | Cluster | Cluster5>(client: Client): OwnedClient<Client> {
  ;(client as Redis).on('error', () => {})
  return { client, close: () => client.disconnect() }
}
