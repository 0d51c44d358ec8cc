import type { RedisCacheBackendOptions } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import {
  attempt,
  ca,
  cleartext,
  encrypted,
  first,
  named,
  second,
  urls,
  useListeners,
} from './cleartext-scene.ts'

useListeners()

const SCHEMES = ['redis', 'rediss'] as const
const SOCKETS: Readonly<Record<string, () => object>> = {
  none: () => ({}),
  'tls: false': () => ({ tls: false }),
  'tls: true': () => ({ tls: true }),
  'tls: true and ca': () => ({ tls: true, ca }),
  'ca alone': () => ({ ca }),
  'servername alone': () => ({ servername: 'localhost' }),
  'rejectUnauthorized alone': () => ({ rejectUnauthorized: false }),
  "tls: 'true'": () => ({ tls: 'true' }),
  'tls: 1': () => ({ tls: 1 }),
  'tls: { ca }': () => ({ tls: { ca } }),
}

const MODES: Readonly<Record<string, (nodes: readonly string[]) => RedisCacheBackendOptions>> = {
  url: ([url]) => ({ url: url as string }),
  cluster: (nodes) => ({ cluster: { nodes } }),
  'cluster, seeds in the other order': (nodes) => ({ cluster: { nodes: nodes.toReversed() } }),
  sentinel: (nodes) => ({ sentinel: { name: 'main', nodes } }),
}

const MIXES = Object.keys(MODES).flatMap((mode) =>
  SCHEMES.flatMap((one) =>
    SCHEMES.flatMap((other) => Object.keys(SOCKETS).map((socket) => ({ mode, one, other, socket }))),
  ),
)

describe('no byte leaves in cleartext if TLS is configured anywhere', () => {
  test.each(MIXES)('$mode, $one:// and $other://, socket: $socket', async ({ mode, one, other, socket }) => {
    const options = (MODES[mode] as (typeof MODES)[string])(urls(one, other))
    const socketOptions = (SOCKETS[socket] as () => object)()
    await attempt({ ...options, clientOptions: { socket: socketOptions as never } })
    const isInUrl = one === 'rediss' || (other === 'rediss' && mode !== 'url')
    const isConfigured = isInUrl || !['none', 'tls: false'].includes(socket)
    if (isConfigured) expect(cleartext()).toEqual([])
    else expect(cleartext().join()).toContain('secret')
  })

  test.each([
    ...['allowPartialTrustChain', 'enableTrace', 'honorCipherOrder', 'privateKeyIdentifier', 'requestOCSP'],
    ...['ssl', 'TLS', 'secure', 'tlsOptions'],
  ])('socket.%s without TLS is refused', async (name) => {
    const clientOptions = { socket: { [name]: true } as never }
    for (const optionsOf of Object.values(MODES)) {
      expect(await attempt({ ...optionsOf(urls('redis', 'redis')), clientOptions })).toBe(false)
    }
    expect(cleartext()).toEqual([])
  })

  test('TLS options outside of the socket', async () => {
    for (const clientOptions of [{ tls: true }, { tls: { ca } }]) {
      const isMade = await attempt({
        url: urls('redis', 'redis')[0] as string,
        clientOptions: clientOptions as never,
      })
      expect(isMade).toBe(false)
    }
    expect(cleartext()).toEqual([])
  })
})

describe('with TLS and a private certificate authority', () => {
  const clientOptions = () => ({ username: 'app', password: 'own secret', socket: { ca } as never })

  test('the sentinels and the primary are reached', async () => {
    const nodes = urls('rediss', 'rediss')
    await attempt({ sentinel: { name: 'main', nodes }, clientOptions: clientOptions() })
    for (const sentinel of [first, second]) {
      expect(encrypted(sentinel)).toContain('GET-MASTER-ADDR-BY-NAME')
      expect(encrypted(sentinel)).not.toContain('own secret')
    }
    expect(encrypted(named)).toContain('own secret')
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })

  test('TLS in the socket options covers the sentinels too', async () => {
    const nodes = urls('redis', 'redis')
    await attempt({
      sentinel: { name: 'main', nodes },
      clientOptions: { socket: { tls: true, ca } as never },
    })
    expect(encrypted(first)).toContain('GET-MASTER-ADDR-BY-NAME')
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })

  test('the nodes that a cluster names are reached', async () => {
    await attempt({
      cluster: { nodes: urls('rediss', 'rediss') },
      clientOptions: { socket: { ca } as never },
    })
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })
})
