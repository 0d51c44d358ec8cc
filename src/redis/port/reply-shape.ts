import type { RedisArgument, RedisReply } from './redis-port.ts'

type Shape = (reply: RedisReply, command: readonly RedisArgument[]) => boolean

const isCount: Shape = (reply) => typeof reply === 'number'
const isPage: Shape = (reply) => Array.isArray(reply) && reply.length === 2 && Array.isArray(reply[1])
const isScriptResult: Shape = (reply) =>
  typeof reply === 'number' || typeof reply === 'string' || Buffer.isBuffer(reply) || isStatus(reply)
/** The reply of acquire-lease.lua: a status and three numbers as text. */
const isStatus = (reply: RedisReply) =>
  Array.isArray(reply) && reply.length === 4 && reply.every((part) => typeof part === 'string')
const isTime: Shape = (reply) => Array.isArray(reply) && reply.length === 2 && typeof reply[1] === 'string'

/** The shape of the reply to each command that this library sends, error replies aside. */
const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  [
    'MGET',
    (reply, command) => Array.isArray(reply) && reply.length === command.length - 1 && reply.every(isBlob),
  ],
  ['SET', (reply, command) => reply === 'OK' || (reply === null && command.includes('NX'))],
  ['UNLINK', isCount],
  ['EXISTS', isCount],
  ['PTTL', isCount],
  ['SREM', isCount],
  ['TIME', isTime],
  ['SCAN', isPage],
  ['SSCAN', isPage],
  ['EVALSHA', isScriptResult],
  ['EVAL', isScriptResult],
])

/**
 * Whether a reply can be the answer to a command.
 *
 * If it cannot, the connection is desynchronized: each of its replies answers another command, so a value that is
 * read on it could belong to another key.
 */
export function isReplyTo(command: readonly RedisArgument[], reply: RedisReply): boolean {
  return SHAPES.get(command[0] as string)?.(reply, command) ?? true
}

function isBlob(element: unknown): boolean {
  return element === null || Buffer.isBuffer(element)
}
