import type { FailurePolicy } from '../../backend/assembly/failure-policy.ts'
import type { BackgroundHook } from '../../contract/background-hook.ts'
import type {
  FillRefusal,
  InheritRefusal,
  MissReason,
  ReadThroughEvents,
} from '../../contract/cache-events.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { EventHub } from '../../foundation/event-hub.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { type Background, handTo } from './background.ts'
import type { Metrics, MetricsByName } from './metrics.ts'
import type { ResolvedReadThrough } from './read-through-options.ts'

/** The parts of a cache that a {@link Monitor} uses. */
export interface MonitorParts {
  readonly policy: FailurePolicy
  readonly metrics: MetricsByName
  readonly background: Background
  readonly options: Pick<ResolvedReadThrough, 'background'>
  readonly clock: Clock
}

/** A kind of work that no caller waits for. */
export type BackgroundTask = ReadThroughEvents['background-error']['task']

/**
 * Counts what happens in one namespace, emits its events, and handles its failures. Whatever is counted or told of a
 * key goes through here, so that counts and events agree.
 */
export class Monitor {
  readonly #policy: FailurePolicy
  readonly #events: EventHub<ReadThroughEvents>
  readonly #metrics: Metrics
  readonly #background: Background
  /** That of the cache. */
  readonly #hook: BackgroundHook | undefined
  readonly #clock: Clock

  constructor({ background, clock, metrics, options, policy }: MonitorParts, { name, namePrefix }: KeySpace) {
    this.#policy = policy.within(name)
    this.#events = policy.events
    this.#metrics = metrics.of(namePrefix)
    this.#background = background
    this.#hook = options.background
    this.#clock = clock
  }

  /** A fresh value was found in this process. @param loadCostMs what its load took */
  localHit(key: string, nowMs: number, loadCostMs: number): void {
    this.#metrics.localHit(nowMs, loadCostMs)
    if (this.#events.has('hit')) this.#tellHit(key, 'local')
  }

  /** A fresh value was found in Redis. @param loadCostMs what its load took */
  sharedHit(key: string, nowMs: number, loadCostMs: number): void {
    this.#metrics.sharedHit(nowMs, loadCostMs)
    if (this.#events.has('hit')) this.#tellHit(key, 'shared')
  }

  #tellHit(key: string, tier: ReadThroughEvents['hit']['tier']): void {
    this.#events.emit('hit', { ...this.#of(key), tier })
  }

  /** A call found nothing to serve. */
  miss(key: string, reason: MissReason): void {
    this.#metrics.add('misses', 1, this.#clock.monotonicMs())
    if (this.#events.has('miss')) this.#events.emit('miss', { ...this.#of(key), reason })
  }

  /** A stale value was served. */
  staleServe(key: string, reason: ReadThroughEvents['stale']['reason']): void {
    this.#metrics.add('staleServes', 1, this.#clock.monotonicMs())
    if (this.#events.has('stale')) this.#events.emit('stale', { ...this.#of(key), reason })
  }

  /** A loader has ended. @returns its duration in milliseconds */
  loaded(key: string, beganMs: number, failure?: { readonly error: unknown }): number {
    const nowMs = this.#clock.monotonicMs()
    const durationMs = nowMs - beganMs
    this.#metrics.add('loads', 1, nowMs)
    this.#metrics.add('loadSeconds', durationMs / 1_000, nowMs)
    if (failure !== undefined) this.#metrics.add('loadErrors', 1, nowMs)
    if (this.#events.has('load')) this.#events.emit('load', { ...this.#of(key), durationMs, ...failure })
    return durationMs
  }

  /** A call was rejected with the failure of an earlier load. */
  errorRemembered(key: string): void {
    this.#metrics.add('rememberedErrors', 1, this.#clock.monotonicMs())
    if (this.#events.has('remembered-error')) this.#events.emit('remembered-error', this.#of(key))
  }

  /** A value is being loaded anew before it expires. */
  earlyRefresh(): void {
    this.#metrics.add('earlyRefreshes', 1, this.#clock.monotonicMs())
  }

  /** Redis has acknowledged a value. */
  stored(key: string, ttlMs: number, bytes: number): void {
    this.#metrics.add('bytesWritten', bytes, this.#clock.monotonicMs())
    if (this.#events.has('set')) this.#events.emit('set', { ...this.#of(key), ttlMs, bytes })
  }

  /** Redis has acknowledged a removal. */
  deleted(keys: readonly string[], removed: number, by: string | undefined): void {
    const { namespace } = this.#policy
    this.#events.emit('delete', { namespace, keys, removed, by })
  }

  /** Redis has acknowledged an expiry. */
  expired({ by, key, tags }: Partial<Omit<ReadThroughEvents['expire'], 'namespace'>>): void {
    const { namespace } = this.#policy
    this.#events.emit('expire', { namespace, key, tags, by })
  }

  /** An invalidation by tags or by a pattern has ended, or a `clear`. */
  invalidated({
    by,
    pattern,
    removed,
    tags,
  }: Partial<Omit<ReadThroughEvents['invalidate'], 'namespace'>>): void {
    const { namespace } = this.#policy
    this.#events.emit('invalidate', { namespace, tags, pattern, removed, by })
  }

  /** A change has ended. */
  changed(change: Omit<ReadThroughEvents['change'], 'namespace'>): void {
    this.#metrics.add('changes', 1, this.#clock.monotonicMs())
    const { namespace } = this.#policy
    this.#events.emit('change', { namespace, ...change })
  }

  /** A loaded value was not stored, since a change held its key or one of its tags. */
  heldBack(key: string): void {
    this.#metrics.add('heldBack', 1, this.#clock.monotonicMs())
    if (this.#events.has('held-back')) this.#events.emit('held-back', this.#of(key))
  }

  /** A lease was lost during its load. */
  leaseLost(key: string): void {
    this.#events.emit('lease-lost', this.#of(key))
  }

  /** A slot did not store its value. */
  fillRefused(key: string, reason: FillRefusal): void {
    this.#events.emit('fill-refused', { ...this.#of(key), reason })
  }

  /** A loaded value was not stored, for what its loader had read. */
  inheritRefused(key: string, reason: InheritRefusal, part: string | undefined): void {
    this.#events.emit('inherit-refused', { ...this.#of(key), reason, part })
  }

  /** A hit was compared with its source. */
  verified(key: string, finding: Omit<ReadThroughEvents['verify'], 'namespace' | 'key'>): void {
    this.#events.emit('verify', { ...this.#of(key), ...finding })
  }

  /**
   * Follows work that no caller waits for. Its failure becomes a `background-error` event.
   * @returns a promise of its end, which never rejects
   */
  follow(task: BackgroundTask, key: string | undefined, work: Promise<unknown>): Promise<void> {
    return this.#background.follow(work, (error) => this.failed(task, key, error))
  }

  /**
   * Hands work that goes on after a call to a hook, if there is one. A failure of the hook becomes an `error` event.
   * @param own the hook of the call, which goes in place of the cache's
   * @param work returns a promise of its end, which never rejects
   */
  handOver(key: string | undefined, own: BackgroundHook | undefined, work: () => Promise<void>): void {
    const hook = own ?? this.#hook
    if (hook !== undefined) handTo(hook, work(), (error) => this.publish('background', key, error))
  }

  /** Work in the background has failed. */
  failed(task: BackgroundTask, key: string | undefined, error: unknown): void {
    const { namespace } = this.#policy
    this.#events.emit('background-error', { namespace, task, key, error })
  }

  /** `staleIfError.when` has thrown, or has returned neither true nor false. */
  ruleFailed(key: string, cause: unknown): void {
    const message = 'staleIfError.when has failed, so the HTTP status of the error decides'
    this.#policy.publish('getOrSet', key, new CacheError('CACHE_INVALID_OPTIONS', message, { cause }))
  }

  /** As {@link FailurePolicy.absorb}. */
  absorb<Result>(
    operation: string,
    key: string | undefined,
    fallback: Result,
    work: () => Promise<Result>,
  ): Promise<Result> {
    return this.#policy.absorb(operation, key, fallback, work)
  }

  /** As {@link FailurePolicy.tell}. */
  tell(operation: string, key: string | undefined, error: unknown): CacheError {
    return this.#policy.tell(operation, key, error)
  }

  /** As {@link FailurePolicy.publish}. */
  publish(operation: string, key: string | undefined, error: unknown): CacheError {
    return this.#policy.publish(operation, key, error)
  }

  #of(key: string): { readonly namespace: string; readonly key: string } {
    return { namespace: this.#policy.namespace, key }
  }
}
