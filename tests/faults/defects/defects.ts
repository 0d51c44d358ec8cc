/** A defect that is put into the built library, to see that the bench finds it. */
export interface Defect {
  readonly name: string
  /** A file of the build. */
  readonly file: string
  /** What of it is replaced; each text stands there once. */
  readonly edits: readonly (readonly [present: string, defective: string])[]
  /** The fault that brings it to light. */
  readonly fault: string
  /** What the bench has to say. */
  readonly found: RegExp
}

export const DEFECTS: readonly Defect[] = [
  {
    name: 'an invalidation that was not delivered is forgotten',
    file: 'dist/cache/outage/invalidation-outbox.js',
    edits: [['add(kind, storedKeys) {', 'add(kind, storedKeys) { return;']],
    fault: 'connections refused',
    found: /wrong values.* never heard of its last change/,
  },
  {
    name: 'a subscription on which nothing arrives is kept',
    file: 'dist/redis/coherence/invalidation-bus.js',
    edits: [['if (this.#isSilent()) {', 'if (false) {']],
    fault: 'half-open: connections fall silent, new ones work',
    found: /bus, ioredis \d: the first local hit took too long/,
  },
  {
    name: 'commands have no deadline',
    file: 'dist/redis/port/deadline-port.js',
    edits: [['new Deadlines(timeoutMs, holdsProcess, true)', 'new Deadlines(600_000, holdsProcess, true)']],
    fault: 'stopped (SIGSTOP), and continued',
    found: /a call missed its deadline/,
  },
]
