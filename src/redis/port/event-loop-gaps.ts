import { clearInterval, setInterval, wallMs } from '../../foundation/time/timers.ts'

/** How often the event loop is looked at. */
const LOOK_MS = 1_000
/** A look that comes this late follows a gap: the process was stopped, suspended or blocked. */
const GAP_MS = 5_000

const listeners = new Set<() => void>()
let timer: NodeJS.Timeout | undefined
let lookedAtMs = 0

/**
 * Calls `listener` after each gap of the event loop of more than five seconds, until the returned function is called.
 * Meanwhile the network or the server may have dropped connections without this process hearing of it.
 */
export function onEventLoopGap(listener: () => void): () => void {
  listeners.add(listener)
  if (timer === undefined) {
    lookedAtMs = wallMs()
    timer = setInterval(look, LOOK_MS).unref()
  }
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** By the wall clock, since the monotonic one stands still while a machine sleeps. A jump of it costs a few PINGs. */
function look(): void {
  const nowMs = wallMs()
  const isGap = nowMs - lookedAtMs > LOOK_MS + GAP_MS
  lookedAtMs = nowMs
  if (isGap) for (const listener of [...listeners]) listener()
}
