/**
 * How often a trial is repeated: a few times by default, so that a developer's run stays short, and at full
 * length if `CACHEWRIGHT_TRIALS=full` is set, as it is in CI.
 */
export function trials(few: number, full: number): number {
  return process.env.CACHEWRIGHT_TRIALS === 'full' ? full : few
}
