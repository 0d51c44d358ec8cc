import { HOLD_WINDOW_MS } from '../backend/seams/shared-tier.ts'
import { holdPlaceholder, readHold } from '../codec/envelope/hold-mark.ts'
import { randomText } from '../foundation/random-text.ts'
import type { Keyspace } from './keyspace.ts'

type Bytes = ReturnType<Keyspace['get']>

/** Whether the bytes under a key are a hold. */
export function isHeld(bytes: Bytes): boolean {
  return holdIn(bytes) !== undefined
}

/** Does what `hold-key.lua` does. */
export function holdKey(keyspace: Keyspace, storedKey: string, durationMs: number, nowMs: number): string {
  const window = windowOf(nowMs)
  const current = holdIn(keyspace.get(storedKey))
  const mark = { id: current?.id ?? randomText(3), window, inWindow: 0, before: 0 }
  if (current !== undefined) {
    if (current.window >= window) {
      mark.window = current.window
      mark.inWindow = current.inWindow
      mark.before = current.before
    } else if (current.window === window - 1) {
      mark.before = current.inWindow
    }
  }
  const ttlMs = current === undefined ? durationMs : Math.max(durationMs, keyspace.remainingMs(storedKey))
  mark.inWindow++
  keyspace.put(storedKey, holdPlaceholder(mark, nowMs + ttlMs), ttlMs)
  return ticketOf(mark.window, mark.id)
}

/** Does what `end-hold.lua` does. */
export function endHold(keyspace: Keyspace, storedKey: string, hold: string, nowMs: number): boolean {
  const bytes = keyspace.get(storedKey)
  const current = holdIn(bytes)
  if (current === undefined) {
    if (bytes !== undefined) keyspace.remove(storedKey)
    return false
  }
  const { id, window } = current
  if (id !== hold.slice(4)) return false
  const joined = Buffer.from(hold, 'latin1').readUInt32BE(0)
  const inWindow = Math.max(current.inWindow - (joined === window ? 1 : 0), 0)
  const hasEarlier = windowOf(nowMs) <= window
  const before = hasEarlier ? Math.max(current.before - (joined === window - 1 ? 1 : 0), 0) : 0
  if (inWindow + before === 0) {
    keyspace.remove(storedKey)
    return true
  }
  const remainingMs = keyspace.remainingMs(storedKey)
  keyspace.putLease(
    storedKey,
    holdPlaceholder({ id, window, inWindow, before }, nowMs + remainingMs),
    remainingMs,
  )
  return true
}

/** Whether a key is held, so that an invalidation leaves it as it is. Then tells all who watch it. */
export function toldHold(keyspace: Keyspace, storedKey: string): boolean {
  const bytes = keyspace.get(storedKey)
  if (bytes === undefined || bytes === 'other' || !isHeld(bytes)) return false
  keyspace.putLease(storedKey, bytes, keyspace.remainingMs(storedKey))
  return true
}

function holdIn(bytes: Bytes) {
  return bytes === undefined || bytes === 'other' ? undefined : readHold(bytes)
}

function windowOf(nowMs: number): number {
  return Math.floor(nowMs / HOLD_WINDOW_MS)
}

/** What {@link endHold} needs. */
function ticketOf(window: number, id: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(window)
  return bytes.toString('latin1') + id
}
