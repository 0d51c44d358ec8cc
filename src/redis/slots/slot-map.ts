import type { RedisReply } from '../port/redis-port.ts'
import { SLOT_COUNT } from './key-slot.ts'

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/**
 * The address at which to reach a node, by the `host:port` that the cluster reports for it. Nodes that are not in the
 * map are reached at the address they report.
 */
export type NodeAddressMap =
  | Readonly<Record<string, NodeAddress>>
  | ((address: string) => NodeAddress | undefined)

/** The owner of each slot by its `host:port`, as one node reports it; `undefined` for a slot without an owner. */
export type SlotMap = readonly (string | undefined)[]

/** A MOVED or ASK reply: the node did not execute the command, and names the node that will. */
export interface Redirect {
  /** `true` for MOVED: the slot has a new owner. `false` for ASK: only this command goes there. */
  readonly isPermanent: boolean
  /** `host:port` */
  readonly address: string
}

/**
 * Parses the reply to `CLUSTER SLOTS`: `[first, last, [host, port, …] of the master, …replicas]` for each range.
 * @param askedHost the host of the node that was asked; a node that does not know its own host leaves it out
 * @returns `undefined` if the reply has another form
 */
export function parseSlotMap(reply: RedisReply, askedHost: string): SlotMap | undefined {
  if (!Array.isArray(reply)) return undefined
  const map = new Array<string | undefined>(SLOT_COUNT).fill(undefined)
  for (const range of reply) {
    if (!Array.isArray(range) || !Array.isArray(range[2])) return undefined
    const [first, last, [host, port]] = range
    const isRange = isSlot(first) && isSlot(last) && Number.isInteger(port)
    if (!isRange || (host !== null && typeof host !== 'string')) return undefined
    map.fill(`${host || askedHost}:${port}`, first, last + 1)
  }
  return map
}

/** The addresses of the nodes that own slots. */
export function ownersIn(map: SlotMap): Set<string> {
  return new Set(map.filter((owner) => owner !== undefined))
}

/** Parses the text of an error reply (`MOVED 3999 127.0.0.1:6381`); `undefined` if it is not a redirect. */
export function parseRedirect(text: string, askedHost: string): Redirect | undefined {
  const [, kind, host, port] = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(text) ?? []
  return kind === undefined
    ? undefined
    : { isPermanent: kind === 'MOVED', address: `${host || askedHost}:${port}` }
}

/** The address at which to reach a node that the cluster reports as `address`. */
export function mappedAddress(address: string, map: NodeAddressMap | undefined): NodeAddress {
  const mapped = typeof map === 'function' ? map(address) : map?.[address]
  if (mapped) return mapped
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function isSlot(word: unknown): word is number {
  return Number.isInteger(word) && (word as number) >= 0 && (word as number) < SLOT_COUNT
}
