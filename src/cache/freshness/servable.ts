/**
 * How an entry may be served by its times alone (RFC 5861): as it is (`'fresh'`), while a new value is loaded
 * (`'revalidate'`), only if the loader fails or is slow (`'error'`), or not at all (`'no'`).
 */
export type Servable = 'fresh' | 'revalidate' | 'error' | 'no'

/** The times of a local copy of an entry, in milliseconds of this process's monotonic clock. */
export interface CopyTimes {
  /** Until when this copy may be served as fresh. */
  readonly servableUntilMs: number
  /** Until when this copy may be served while a new value is loaded. */
  readonly revalidatableUntilMs: number
  /** Until when it may be served if the loader fails; 0 if `staleIfError` is off. */
  readonly staleIfErrorUntilMs: number
}

/** The times of an entry itself, in milliseconds of this process's monotonic clock. */
export interface EntryTimes {
  readonly freshUntilMs: number
  readonly staleWhileRevalidateUntilMs: number
  /** 0 if `staleIfError` is off. */
  readonly staleIfErrorUntilMs: number
}

/** How a local copy may be served, without asking Redis whether there is a newer one. */
export function servable(copy: CopyTimes, nowMs: number): Servable {
  // Every hit runs this, so the most frequent case comes first.
  if (nowMs < copy.servableUntilMs) return 'fresh'
  if (nowMs < copy.revalidatableUntilMs) return 'revalidate'
  return nowMs < copy.staleIfErrorUntilMs ? 'error' : 'no'
}

/** How an entry may be served that has just been read from Redis. */
export function servableAsRead(entry: EntryTimes, nowMs: number): Servable {
  if (nowMs < entry.freshUntilMs) return 'fresh'
  if (nowMs < entry.staleWhileRevalidateUntilMs) return 'revalidate'
  return nowMs < entry.staleIfErrorUntilMs ? 'error' : 'no'
}
