import type { OpenChanges } from '../changes/open-changes.ts'
import type { Monitor } from '../core/monitor.ts'

/** A write that has been checked. */
export interface CheckedWrite<Result> {
  /** The name of its operation, for the events that tell of its failure. */
  readonly operation: string
  readonly key: string | undefined
  /** What its caller gets if the write is collected. */
  readonly meanwhile: Result
  send(): Promise<Result>
}

/** Sends a write; within a change, it is sent when the change has ended. @throws CacheError as `send` does */
export async function sendOrCollect<Result>(
  changes: OpenChanges,
  monitor: Monitor,
  { key, meanwhile, operation, send }: CheckedWrite<Result>,
): Promise<Result> {
  const change = changes.current
  if (change === undefined) return send()
  // The outcome of the change is known when it is sent, so its failure rejects nothing.
  change.add({ send: () => send().catch((error: unknown) => monitor.publish(operation, key, error)) })
  return meanwhile
}
