import type { CacheCore } from '../core/cache-core.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { Flight } from './flight.ts'

/**
 * Tells a call, which is about to return, of a flight that goes on without it. A loader may hang, so the promise does not
 * wait for longer than a load and its lease may last.
 */
export function handOver(
  { options, timers }: Pick<CacheCore, 'options' | 'timers'>,
  { background, key, monitor }: LoadRequest,
  flight: Flight,
): void {
  if (!flight.goesOn) return
  monitor.handOver(
    key,
    background,
    () =>
      new Promise((resolve) => {
        const cancel = timers.after(options.longestLoadMs + options.leaseMs, resolve)
        void flight.ended().then(() => {
          cancel()
          resolve()
        })
      }),
  )
}
