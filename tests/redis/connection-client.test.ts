import { expect, it } from 'vitest'
import { connectionClient } from '../../src/redis/node-redis/connection-client.ts'

/** A client is an object of its own over an instance of its class. */
const classOf = (client: object): unknown => Object.getPrototypeOf(client).constructor

it('clients of one protocol share a class, whatever server they are for', () => {
  const [first, second, older] = [
    connectionClient('resp3', { socket: { host: '127.0.0.1', port: 7_001 } }),
    connectionClient('tracked', { socket: { host: '127.0.0.1', port: 7_002 } }),
    connectionClient('resp2', { socket: { host: '127.0.0.1', port: 7_001 } }),
  ]
  expect(classOf(second)).toBe(classOf(first))
  expect(classOf(older)).not.toBe(classOf(first))
  expect([first, second, older].map((client) => client.options.RESP)).toEqual([3, 3, 2])
})
