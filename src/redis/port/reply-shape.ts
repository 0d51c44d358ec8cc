import type { RedisArgument, RedisReply } from './redis-port.ts'

/** Whether a reply has the form that the reply to a command must have. */
export type ReplyShape = (reply: RedisReply, command: readonly RedisArgument[]) => boolean

/** Whether a part of a reply has the form that it must have, whatever the command. */
type PartShape = (part: RedisReply) => boolean

/** Numbers as text. The longest that a double holds exactly has 16 digits. */
const DIGITS = /^\d{1,16}$/
const INTEGER = /^-?\d{1,19}$/
const CURSOR = /^\d{1,20}$/

/** How many of the keys of a script something is true of. */
export const isCountOfKeys: ReplyShape = (reply, command) => isCount(reply, Number(command[2]))
/** How many of the arguments of a script over one key something is true of, all but the first `others`. */
export function isCountOfArguments(others: number): ReplyShape {
  return (reply, command) => isCount(reply, command.length - 4 - others)
}
/** A list with a zero, and an element of this form for each key of a script. */
export function isListOfKeys(element: PartShape): ReplyShape {
  return (reply, command) =>
    Array.isArray(reply) && reply[0] === 0 && isList(reply.slice(1), Number(command[2]), element)
}
/** 1 for yes, 0 for no. */
export const isFlag: ReplyShape = (reply) => reply === 0 || reply === 1
/** A digit for each key of a script: 1 for yes, 0 for no. */
export const isPresence: ReplyShape = (reply, command) =>
  typeof reply === 'string' && reply.length === Number(command[2]) && /^[01]*$/.test(reply)
/** Milliseconds, beyond 2^53 if somebody has set it so; -1 = for ever, -2 = there is no such key. */
export const isTtl: ReplyShape = (reply) => Number.isInteger(reply) && (reply as number) >= -2
/** A 64-bit integer as text. */
export const isInteger: PartShape = (reply) => typeof reply === 'string' && INTEGER.test(reply)
/** A string, in a reply that was asked for as bytes. */
export const isBytes: ReplyShape = (reply) => Buffer.isBuffer(reply)
/** As {@link isBytes}, or `null`. */
export const isBytesOrNull: ReplyShape = (reply) => reply === null || Buffer.isBuffer(reply)
/** A number that a double holds exactly, as text. */
export const isDigits: PartShape = (reply) => typeof reply === 'string' && DIGITS.test(reply)

/** How many of the keys of a command something is true of. */
const isCountOfOperands: ReplyShape = (reply, command) => isCount(reply, command.length - 1)
const isWord: PartShape = (reply) => typeof reply === 'string' || Buffer.isBuffer(reply)

function isCount(reply: RedisReply, most: number): boolean {
  return Number.isSafeInteger(reply) && (reply as number) >= 0 && (reply as number) <= most
}

/** A list of this length, whose elements all have this form. */
function isList(reply: RedisReply, length: number, element: PartShape): boolean {
  return Array.isArray(reply) && reply.length === length && reply.every((one) => element(one))
}

/** The next cursor, and the words that were found. A cursor that stays where it was would never end the walk. */
function isPage(reply: RedisReply, cursor: RedisArgument | undefined): boolean {
  if (!Array.isArray(reply) || reply.length !== 2) return false
  const [next, found] = reply
  const isNext =
    isWord(next) && CURSOR.test(String(next)) && (String(next) === '0' || String(next) !== cursor)
  return isNext && isList(found, found?.length, isWord)
}

/**
 * The shape of the reply to each command that this library sends, scripts and error replies aside. Where one reply of
 * a connection is lost, no other one may pass for a list of values: a list that a script returns begins with a number,
 * and two keys are never read by one MGET, since TIME returns two words.
 */
const SHAPES: ReadonlyMap<string, ReplyShape> = new Map<string, ReplyShape>([
  ['MGET', (reply, command) => isList(reply, command.length - 1, (one) => isBytesOrNull(one, command))],
  ['SET', (reply, command) => reply === 'OK' || (reply === null && command.includes('NX'))],
  ['UNLINK', isCountOfOperands],
  ['EXISTS', isCountOfOperands],
  ['PTTL', isTtl],
  ['SREM', isFlag],
  ['TIME', (reply) => isList(reply, 2, isDigits)],
  ['SCAN', (reply, command) => isPage(reply, command[1])],
  ['SSCAN', (reply, command) => isPage(reply, command[2])],
])

/** The shapes of the replies to scripts, by the source and by the digest of each. */
const SCRIPT_SHAPES = new Map<string, ReplyShape>()

/** Declares what a script returns. Its replies are refused otherwise. */
export function declareScript(source: string, digest: string, shape: ReplyShape): void {
  SCRIPT_SHAPES.set(source, shape)
  SCRIPT_SHAPES.set(digest, shape)
}

/**
 * Whether a reply can be the answer to a command.
 *
 * If it cannot, the connection is desynchronized: each of its replies answers another command, so a value that is
 * read on it could belong to another key.
 */
export function isReplyTo(command: readonly RedisArgument[], reply: RedisReply): boolean {
  const name = command[0] as string
  if (name === 'EVALSHA' || name === 'EVAL') {
    return SCRIPT_SHAPES.get(command[1] as string)?.(reply, command) ?? true
  }
  return SHAPES.get(name)?.(reply, command) ?? true
}
