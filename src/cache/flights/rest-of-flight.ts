import type { CacheCore } from '../core/cache-core.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { Flight } from './flight.ts'

/**
 * Tells a call, which is about to return, of a flight that goes on without it. A loader may hang, so the promise does not
 * wait for longer than a load and its lease may last, or after the cache is closed.
 */
export function handOverRest(
  { options, stopping, timers }: Pick<CacheCore, 'options' | 'stopping' | 'timers'>,
  { background, key, monitor }: LoadRequest,
  flight: Flight,
): void {
  if (!goesOn(flight)) return
  monitor.handOver(
    key,
    background,
    () =>
      new Promise((resolve) => {
        const end = () => {
          cancel()
          stopping.removeEventListener('abort', end)
          resolve()
        }
        const cancel = timers.after(options.longestLoadMs + options.leaseMs, end)
        stopping.addEventListener('abort', end)
        void ended(flight).then(end)
      }),
  )
}

/** Whether a flight has something to do still: its work, the return of a lease, or the work of the next one. */
function goesOn({ next, phase, returning }: Flight): boolean {
  return phase !== 'over' || returning !== undefined || (next !== undefined && goesOn(next))
}

/** Resolves when a flight has nothing to do any more. Never rejects. */
async function ended(flight: Flight): Promise<void> {
  await flight.result.catch(() => {})
  await flight.returning
  if (flight.next !== undefined) await ended(flight.next)
}
