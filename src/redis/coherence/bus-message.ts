/** A message of the bus: who publishes it, its number among the messages of that process, and the keys that a change concerns. */
export type ReceivedMessage = readonly [id: string, number: number, storedKeys: readonly string[]]

/** The longest message in UTF-16 units, and the most keys that it may name. A cache removes 2,048 keys at once. */
const LONGEST_MESSAGE = 1_048_576
const MOST_KEYS = 4_096

/** What stands before the keys: an id of 64 characters at most, and a number. */
const HEAD = /^\["[^"\\]{0,64}",[1-9]\d{0,15},\[/
/** The next key, and what follows it. */
const KEY = /"[^"\\]*(?:\\.[^"\\]*)*"(,(?=")|\]\]$)/y

/** A heartbeat concerns no keys. */
export function encodeMessage(...message: ReceivedMessage): string {
  return JSON.stringify(message)
}

/**
 * Reads only what has the form of {@link encodeMessage}: `JSON.parse` might be busy with other texts for half a second.
 * @returns `undefined` for what other programs publish on the channel
 */
export function parseMessage(text: string): ReceivedMessage | 'oversized' | undefined {
  if (text.length > LONGEST_MESSAGE) return 'oversized'
  const head = HEAD.exec(text)?.[0]
  if (head === undefined) return undefined
  const keys = text.slice(head.length, head.length + 3) === ']]' ? 0 : countKeys(text, head.length)
  if (keys === undefined) return undefined
  if (keys > MOST_KEYS) return 'oversized'
  try {
    const message = JSON.parse(text) as ReceivedMessage
    return Number.isSafeInteger(message[1]) ? message : undefined
  } catch {
    return undefined
  }
}

/** @returns the keys from there to the end, at most one too many; `undefined` if something else is among them */
function countKeys(text: string, start: number): number | undefined {
  KEY.lastIndex = start
  for (let keys = 1; keys <= MOST_KEYS; keys++) {
    const end = KEY.exec(text)?.[1]
    if (end !== ',') return end === undefined ? undefined : keys
  }
  return MOST_KEYS + 1
}
