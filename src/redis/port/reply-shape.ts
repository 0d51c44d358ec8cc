import type { RedisArgument, RedisReply } from './redis-port.ts'

type Shape = (reply: RedisReply, command: readonly RedisArgument[]) => boolean

const isCount: Shape = (reply) => typeof reply === 'number'
const isPage: Shape = (reply) => Array.isArray(reply) && reply.length === 2 && Array.isArray(reply[1])
const isScriptResult: Shape = (reply) =>
  typeof reply === 'number' || typeof reply === 'string' || Buffer.isBuffer(reply) || isStatus(reply)
/** What acquire-lease.lua answers: a status and two numbers. */
const isStatus = (reply: RedisReply) =>
  Array.isArray(reply) && reply.length === 3 && reply.every((part) => typeof part === 'string')
const isTime: Shape = (reply) => Array.isArray(reply) && reply.length === 2 && typeof reply[1] === 'string'

/** What each command that is sent answers, errors aside. */
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
 * Whether a reply can be the answer to a command. A connection on which it cannot is out of step: each answer
 * on it belongs to another question, and a value that came of it would be another key's.
 */
export function isReplyTo(command: readonly RedisArgument[], reply: RedisReply): boolean {
  return SHAPES.get(command[0] as string)?.(reply, command) ?? true
}

function isBlob(element: unknown): boolean {
  return element === null || Buffer.isBuffer(element)
}
