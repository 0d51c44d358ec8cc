import {
  type AcquireReply,
  type AcquireRequest,
  type Fence,
  FRUITLESS_MS,
  type Renewal,
  type ReserveReply,
  type ReserveRequest,
} from '../backend/seams/shared-tier.ts'
import {
  boundGeneration,
  fruitlessLoadsIn,
  GENERATION_BYTES,
  hasLease,
  isEntry,
  isNobodys,
  isPlaceholder,
  NO_TOKEN,
  pauseIn,
  placeholder,
  readLease,
  stampIn,
  tokenAfter,
  tokenOfFruitless,
  withLease,
} from '../codec/envelope/entry-meta.ts'
import {
  newGenerationValue,
  readGenerationValue,
  renewedGenerationValue,
} from '../codec/envelope/generation-value.ts'
import { HELD_GENERATION } from '../codec/envelope/hold-mark.ts'
import { randomText } from '../foundation/random-text.ts'
import { isHeld, toldHold } from './hold-rules.ts'
import type { Keyspace } from './keyspace.ts'

const FREE = { token: NO_TOKEN, deadlineMs: 0 }

/** Does what `acquire-lease.lua` does. */
export function acquireLease(
  keyspace: Keyspace,
  storedKey: string,
  { heedsPause, leaseMs, longestLeaseMs, purpose, stamp, token }: AcquireRequest,
  nowMs: number,
): AcquireReply {
  const bytes = keyspace.get(storedKey)
  const lease = bytes !== undefined && bytes !== 'other' && hasLease(bytes) ? readLease(bytes) : FREE
  const fruitlessLoads = fruitlessLoadsIn(lease.token)
  const reply = (status: AcquireReply['status'], remainingMs = 0) => ({
    status,
    serverNowMs: nowMs,
    remainingMs,
    fruitlessLoads,
  })
  if (bytes === 'other') return reply('foreign')
  if (isHeld(bytes)) return reply('changing')
  const leftMs = Math.ceil(lease.deadlineMs - nowMs)
  const isPause = isNobodys(lease.token)
  const remainingMs = leftMs > longestLeaseMs || (isPause && !heedsPause) ? 0 : leftMs
  const held = (): AcquireReply =>
    isPause ? { ...reply('paused', remainingMs), pauseMs: pauseIn(bytes) } : reply('held', remainingMs)
  const granted = tokenAfter(token, fruitlessLoads)
  if (bytes !== undefined && !isPlaceholder(bytes)) {
    if (stampIn(bytes) !== stamp) return reply('changed')
    if (purpose === 'refresh' && hasLease(bytes)) {
      if (remainingMs > 0) return held()
      keyspace.putLease(
        storedKey,
        withLease(bytes, granted, nowMs + leaseMs),
        keyspace.remainingMs(storedKey),
      )
      return reply('acquired')
    }
  } else {
    if (remainingMs > 0 && (!isPause || stamp === '')) return held()
    // The judged entry has gone, so the caller must not serve it as a stale value.
    if (stamp !== '') return reply('changed')
  }
  keyspace.put(storedKey, placeholder(granted, nowMs + leaseMs), leaseMs)
  return reply('acquired')
}

/** Does what `renew-lease.lua` does. */
export function renewLease(
  keyspace: Keyspace,
  storedKey: string,
  token: string,
  leaseMs: number,
  nowMs: number,
): boolean {
  const bytes = held(keyspace, storedKey, token)
  if (bytes === undefined) return false
  if (readLease(bytes).deadlineMs - nowMs < leaseMs * 0.6) {
    const ttlMs = isPlaceholder(bytes) ? leaseMs : keyspace.remainingMs(storedKey)
    keyspace.putLease(storedKey, withLease(bytes, token, nowMs + leaseMs), ttlMs)
  }
  return true
}

/** Does what `reserve-key.lua` does. */
export function reserveKey(
  keyspace: Keyspace,
  storedKey: string,
  { lifetimeMs, stamp, token }: ReserveRequest,
): ReserveReply {
  const bytes = keyspace.get(storedKey)
  if (bytes === 'other') return { status: 'foreign', token: '' }
  if (isHeld(bytes)) return { status: 'changing', token: '' }
  let granted = token
  if (bytes !== undefined && isPlaceholder(bytes)) {
    const held = readLease(bytes).token
    const fruitlessLoads = fruitlessLoadsIn(held)
    if (held !== tokenAfter(NO_TOKEN, fruitlessLoads)) {
      if (keyspace.remainingMs(storedKey) < lifetimeMs) keyspace.putLease(storedKey, bytes, lifetimeMs)
      return { status: 'reserved', token: held }
    }
    granted = tokenAfter(token, fruitlessLoads)
  } else if (bytes !== undefined && stampIn(bytes) !== stamp) {
    return { status: 'changed', token: '' }
  }
  keyspace.put(storedKey, placeholder(granted, 0), lifetimeMs)
  return { status: 'reserved', token: granted }
}

/** Does what `fill-entry.lua` does. */
export function fillEntry(
  keyspace: Keyspace,
  storedKey: string,
  fence: Fence,
  entry: Buffer,
  ttlMs: number,
  nowMs: number,
): boolean {
  const bytes = leased(keyspace, storedKey)
  if (bytes === undefined || !stands(fence, bytes, nowMs)) return false
  keyspace.put(storedKey, entry, ttlMs)
  return true
}

function stands({ kind, mark }: Fence, bytes: Buffer, nowMs: number): boolean {
  if (kind === 'entry') return isEntry(bytes) && stampIn(bytes) === mark
  const { deadlineMs, token } = readLease(bytes)
  if (token !== mark) return false
  return kind === 'reservation' ? isPlaceholder(bytes) : deadlineMs >= Math.floor(nowMs)
}

/** How a lease is given back: the arguments of `SharedTier.release`. */
interface Release {
  readonly token: string
  readonly isFruitless: boolean
  readonly pauseMs?: number | undefined
}

/** Does what `release-lease.lua` does. */
export function releaseLease(
  keyspace: Keyspace,
  storedKey: string,
  { isFruitless, pauseMs = 0, token }: Release,
  nowMs: number,
): void {
  const bytes = leased(keyspace, storedKey)
  if (bytes === undefined) return
  const current = readLease(bytes).token
  // Whoever gives back a lease whose grant was lost does not know the count in its token.
  if (tokenAfter(token, fruitlessLoadsIn(current)) !== current) return
  if (isPlaceholder(bytes) && !isFruitless) {
    keyspace.remove(storedKey)
    return
  }
  const isPaused = isFruitless && pauseMs > 0 && !isPlaceholder(bytes)
  const deadlineMs = isPaused ? nowMs + pauseMs : 0
  const free = withLease(bytes, isFruitless ? tokenOfFruitless(current) : NO_TOKEN, deadlineMs)
  keyspace.putLease(storedKey, free, isPlaceholder(bytes) ? FRUITLESS_MS : keyspace.remainingMs(storedKey))
}

/** Does what `capture-generation.lua` does. */
export function captureGeneration(
  keyspace: Keyspace,
  storedKey: string,
  ttlMs: number,
  nowMs: number,
): Buffer {
  const bytes = keyspace.get(storedKey)
  if (isHeld(bytes)) return Buffer.from(HELD_GENERATION, 'latin1')
  if (bytes === undefined || bytes === 'other' || readGenerationValue(bytes) === undefined) {
    const value = newGenerationValue(microseconds(nowMs), newIdentity())
    keyspace.put(storedKey, value, ttlMs)
    return value
  }
  if (keyspace.remainingMs(storedKey) < ttlMs / 2) keyspace.put(storedKey, bytes, ttlMs)
  return bytes
}

/** Does what `bump-generation.lua` does. */
export function bumpGeneration(
  keyspace: Keyspace,
  storedKey: string,
  ttlMs: number,
  renewal: Renewal,
  nowMs: number,
): string {
  if (toldHold(keyspace, storedKey)) return HELD_GENERATION
  const bytes = keyspace.get(storedKey)
  const current = bytes === 'other' ? undefined : bytes
  const value = renewedGenerationValue(current, renewal, microseconds(nowMs), newIdentity())
  keyspace.put(storedKey, value, Math.max(ttlMs, keyspace.remainingMs(storedKey)))
  return value.toString('latin1', 0, GENERATION_BYTES)
}

function microseconds(nowMs: number): number {
  return Math.floor(nowMs * 1_000)
}

function newIdentity(): string {
  return randomText(8)
}

/** Does what `reclaim-keys.lua` does. */
export function reclaimKeys(
  keyspace: Keyspace,
  storedKeys: readonly string[],
  generationKey: string,
  isUnbound: boolean,
  replaced: readonly string[] = [],
): { readonly removed: number; readonly stays: readonly string[] } {
  const stays = new Set<string>()
  let removed = 0
  for (const storedKey of storedKeys) {
    const bytes = keyspace.get(storedKey)
    const isString = bytes !== undefined && bytes !== 'other'
    const generation = isString ? boundGeneration(bytes, generationKey) : undefined
    const isDoomed =
      generation === undefined
        ? isUnbound && !(isString && isPlaceholder(bytes))
        : replaced.includes(generation)
    if (isDoomed) removed += keyspace.remove(storedKey) ? 1 : 0
    else if (generation !== undefined) stays.add(generation)
  }
  return { removed, stays: [...stays] }
}

function held(keyspace: Keyspace, storedKey: string, token: string): Buffer | undefined {
  const bytes = leased(keyspace, storedKey)
  return bytes !== undefined && readLease(bytes).token === token ? bytes : undefined
}

function leased(keyspace: Keyspace, storedKey: string): Buffer | undefined {
  const bytes = keyspace.get(storedKey)
  return bytes === undefined || bytes === 'other' || !hasLease(bytes) ? undefined : bytes
}
