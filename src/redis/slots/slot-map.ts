import type { RedisReply } from '../port/redis-port.ts'

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/** Where to reach a node instead of where it says it is: by its `host:port`. What is not in it is left as it is. */
export type NodeAddressMap =
  | Readonly<Record<string, NodeAddress>>
  | ((address: string) => NodeAddress | undefined)

/** The owner of each slot as one node sees it: its `host:port`, `undefined` where nobody owns the slot. */
export type SlotMap = readonly (string | undefined)[]

/** Where a node sends a command to that it has not executed. */
export interface Redirect {
  /** MOVED: from now on; else ASK: this once. */
  readonly isPermanent: boolean
  /** `host:port` */
  readonly address: string
}

const SLOTS = 16_384

/**
 * Reads the reply to `CLUSTER SLOTS`: `[first, last, [host, port, …] of the master, …replicas]` a range. A node that
 * does not know its own address leaves the host out: then it is the one that was asked.
 * @returns `undefined` where it is no such reply
 */
export function parseSlotMap(reply: RedisReply, askedHost: string): SlotMap | undefined {
  if (!Array.isArray(reply)) return undefined
  const map = new Array<string | undefined>(SLOTS).fill(undefined)
  for (const range of reply) {
    if (!Array.isArray(range) || !Array.isArray(range[2])) return undefined
    const [first, last, [host, port]] = range
    const isRange = isSlot(first) && isSlot(last) && Number.isInteger(port)
    if (!isRange || (host !== null && typeof host !== 'string')) return undefined
    map.fill(`${host || askedHost}:${port}`, first, last + 1)
  }
  return map
}

/** The addresses of those who own slots. */
export function ownersIn(map: SlotMap): Set<string> {
  return new Set(map.filter((owner) => owner !== undefined))
}

/** Reads the text of an error reply (`MOVED 3999 127.0.0.1:6381`); `undefined` where it sends nobody elsewhere. */
export function parseRedirect(text: string, askedHost: string): Redirect | undefined {
  const [, kind, host, port] = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(text) ?? []
  return kind === undefined
    ? undefined
    : { isPermanent: kind === 'MOVED', address: `${host || askedHost}:${port}` }
}

/** Where a node is to be reached. */
export function mappedAddress(address: string, map: NodeAddressMap | undefined): NodeAddress {
  const mapped = typeof map === 'function' ? map(address) : map?.[address]
  if (mapped) return mapped
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function isSlot(word: unknown): word is number {
  return Number.isInteger(word) && (word as number) >= 0 && (word as number) < SLOTS
}
