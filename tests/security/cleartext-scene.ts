import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type CleartextListener, certificateOfListeners, listenInCleartext } from './cleartext-listener.ts'

/** A seed or sentinel, another one, and the server that they name. */
export let first: CleartextListener
export let second: CleartextListener
export let named: CleartextListener
/** The certificate of the authority that signed theirs. */
export let ca: string

/** Starts the listeners of a test file, and ends them with it. */
export function useListeners(): void {
  beforeAll(async () => {
    const certificate = await certificateOfListeners()
    ca = certificate.cert
    const listen = () => listenInCleartext(certificate, answers)
    ;[first, second, named] = await Promise.all([listen(), listen(), listen()])
  })
  beforeEach(() => {
    for (const { cleartext, encrypted } of [first, second, named]) {
      cleartext.length = 0
      encrypted.length = 0
    }
  })
  afterAll(() => Promise.all([first, second, named].map((listener) => listener.close())))
}

/** What a server answers that is a primary, a node of a cluster and a sentinel in one. */
function answers(): Readonly<Record<string, string>> {
  const port = String(named.port)
  return {
    HELLO: '%1\r\n$5\r\nproto\r\n:3\r\n',
    AUTH: '+OK\r\n',
    SELECT: '+OK\r\n',
    CLIENT: '+OK\r\n',
    PING: '+PONG\r\n',
    ROLE: '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n',
    INFO: `$${'role:master\r\ncluster_enabled:1\r\n'.length}\r\nrole:master\r\ncluster_enabled:1\r\n\r\n`,
    'CLUSTER INFO': '$16\r\ncluster_state:ok\r\n',
    'CLUSTER SLOTS': `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:${port}\r\n$40\r\n${'a'.repeat(40)}\r\n`,
    'SENTINEL GET-MASTER-ADDR-BY-NAME': `*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`,
    'SENTINEL SENTINELS': '*0\r\n',
    'SENTINEL MASTER': '%1\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n',
  }
}

/** Two URLs with a password each. */
export const urls = (one: string, other: string) => [
  `${one}://user:secret@127.0.0.1:${first.port}`,
  `${other}://user:secret@127.0.0.1:${second.port}`,
]

/** Lets a backend try to connect and to use what it has connected to. @returns whether it could be made */
export async function attempt(options: RedisCacheBackendOptions): Promise<boolean> {
  let backend: RedisCacheBackend
  try {
    backend = new RedisCacheBackend({
      ...options,
      connectTimeout: '300ms',
      commandTimeout: '100ms',
    })
  } catch (error) {
    expect(error).toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
    expect(String(error)).not.toContain('secret')
    return false
  }
  await backend.initialize().catch(() => {})
  await backend.set('key', 'confidential')
  await backend.shutdown()
  return true
}

/** What the listeners have read in cleartext. */
export const cleartext = () => [first, second, named].flatMap((listener) => listener.cleartext)
/** What a listener has read under TLS. */
export const encrypted = (listener: CleartextListener) =>
  listener.encrypted.map((words) => words.join(' ')).join('\n')
