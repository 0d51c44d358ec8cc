import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { CacheError } from 'cachewright'
import { describe, it } from 'vitest'
import { parseRedisUrl, type RedisAddress } from '../../../src/redis/node-redis/redis-address.ts'
import type { Chance } from './chance.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'

const USER = 'Us3rNameQ'
const PASSWORD = 'P4ssw0rdZ'
/** Parts of the credentials that are found in no message by chance. */
const SECRETS = [USER, PASSWORD].flatMap((text) => [text.slice(0, 5), text.slice(2, 7), text.slice(-5)])
const SYNTAX = [
  ':',
  '/',
  '@',
  '?',
  '#',
  '%',
  '%40',
  '%2F',
  '[',
  ']',
  '&',
  '=',
  'db=',
  '://',
  ' ',
  'redis',
  PASSWORD,
]

const URLS = [
  `redis://${USER}:${PASSWORD}@localhost:6379/1`,
  `rediss://:${PASSWORD}@cache.example.org`,
  `valkeys://${USER}:${PASSWORD}@127.0.0.1:7000?db=3`,
  `redis://${USER}:a%40b%2F%3F%23${PASSWORD}@[::1]:6380/0`,
  `unix://${USER}:${PASSWORD}@/run/redis%20a.sock?db=2`,
  'redis://localhost',
]

/** An address without what is derived from the rest. */
type Address = Omit<RedisAddress, 'endpoint'>

const ADDRESSES: readonly Address[] = [
  { socket: { host: 'localhost', port: 6379, tls: false }, username: USER, password: PASSWORD, database: 1 },
  { socket: { host: '::1', port: 1, tls: true }, username: undefined, password: 'a@b/c?d#e:f%', database: 0 },
  {
    socket: { host: 'a.example', port: 65_535, tls: true },
    username: 'é ',
    password: 'ü',
    database: 15,
  },
  {
    socket: { path: '/run/a b.sock', tls: false },
    username: undefined,
    password: undefined,
    database: 999_999,
  },
]

/** The URL of an address, made as RFC 3986 says. */
function urlOf({ database, password, socket, username }: Address): string {
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
  const login =
    secret === '' && username === undefined ? '' : `${encodeURIComponent(username ?? '')}${secret}@`
  if ('path' in socket) {
    const path = socket.path.split('/').map(encodeURIComponent).join('/')
    return `unix://${login}${path}?db=${database}`
  }
  const host = socket.host.includes(':') ? `[${socket.host}]` : socket.host
  return `${socket.tls ? 'rediss' : 'redis'}://${login}${host}:${socket.port}/${database}`
}

/** The address with what is derived from it. */
function withEndpoint(address: Address): RedisAddress {
  const { socket } = address
  if ('path' in socket) return { ...address, endpoint: socket.path }
  const host = socket.host.includes(':') ? `[${socket.host}]` : socket.host
  return { ...address, endpoint: `${host}:${socket.port}` }
}

/** The address; `undefined` if the URL is refused. */
function parsed(url: string): RedisAddress | undefined {
  try {
    return parseRedisUrl(url)
  } catch (error) {
    assert.ok(error instanceof CacheError && error.code === 'CACHE_INVALID_OPTIONS', String(error))
    const told = inspect(error, { depth: 9 })
    // The name of an unknown parameter is shown.
    const query = url.includes('?') ? url.slice(url.indexOf('?')) : ''
    for (const secret of SECRETS) {
      assert.ok(!told.includes(secret) || query.includes(secret), `${secret} is in ${error.message}`)
    }
    return undefined
  }
}

/** A user name needs a password. */
function mutatedAddress(address: Address, chance: Chance): Address {
  const text = (given: string | undefined) => {
    const changed = chance.mutateText(given ?? '', SYNTAX).toWellFormed()
    return changed === '' ? undefined : changed
  }
  switch (chance.below(4)) {
    case 0:
      return address.password === undefined ? address : { ...address, username: text(address.username) }
    case 1: {
      const password = text(address.password)
      return { ...address, password, username: password === undefined ? undefined : address.username }
    }
    case 2:
      return { ...address, database: chance.below(1_000_000) }
    default:
      return 'path' in address.socket
        ? { ...address, socket: { path: `/${text(address.socket.path)}`, tls: false } }
        : { ...address, socket: { ...address.socket, port: 1 + chance.below(65_535) } }
  }
}

describe('a Redis URL', () => {
  it(
    'comes back as the address that it was made of',
    async () => {
      const run = await fuzz<Address>({
        share: 1 / 2,
        seeds: ADDRESSES,
        mutate: mutatedAddress,
        attempt: (address) => assert.deepEqual(parseRedisUrl(urlOf(address)), withEndpoint(address)),
        show: (address) => inspect(address),
      })
      assert.ok(run.inputs > 10)
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'that somebody mistyped is refused without its credentials, or means one address',
    async () => {
      let taken = 0
      const run = await fuzz<string>({
        share: 1 / 2,
        seeds: URLS,
        mutate: (url, chance) => chance.mutateText(url, SYNTAX).toWellFormed(),
        attempt: (url) => {
          const address = parsed(url)
          if (address === undefined) return
          taken++
          assert.deepEqual(address, withEndpoint(address))
          assert.deepEqual(parseRedisUrl(urlOf(address)), address)
        },
        show: (url) => JSON.stringify(url),
      })
      assert.ok(run.inputs > 10)
      assert.ok(taken > 10)
    },
    FUZZ_TIMEOUT_MS,
  )
})
