/**
 * How often a trial is repeated: a few times by default, so that a developer's run stays short; more often in CI, which
 * sets `CACHEWRIGHT_TRIALS=full`. `CACHEWRIGHT_TRIALS=fewest` is for the other servers, on which CI repeats some tests;
 * `CACHEWRIGHT_TRIALS=long` is for the trials of a single file, which may take an hour.
 */
export function trials(few: number, full: number, long: number = full): number {
  switch (process.env.CACHEWRIGHT_TRIALS) {
    case 'full':
      return full
    case 'long':
      return long
    case 'fewest':
      return Math.max(Math.min(few, 3), Math.ceil(few / 3))
    default:
      return few
  }
}
