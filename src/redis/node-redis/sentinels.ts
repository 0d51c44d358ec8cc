import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { clearTimeout, setTimeout, systemMs } from '../../foundation/time/timers.ts'
import { detailOf, unavailable } from '../port/redis-errors.ts'
import type { NodeRedisOptions } from './options.ts'
import { parseRedisUrls, type RedisAddress } from './redis-address.ts'
import { type NamedPrimary, SentinelLink } from './sentinel-link.ts'
import { tlsOptionsIn, withTls } from './tls.ts'

/** A primary that Sentinels monitor. */
export interface SentinelOptions {
  /** The name under which the sentinels know the primary (`sentinel monitor NAME …`). */
  readonly name: string
  /**
   * URLs of the sentinels. Credentials in them are used for the sentinels only; `rediss://` means that the primary is
   * reached with TLS, too. Half of them must answer for a primary to be found, and to be kept: see docs/operations.md.
   */
  readonly nodes: readonly string[]
}

/** What `sentinel` may contain. */
export const SENTINEL_OPTIONS: KnownOptions = {
  of: 'sentinel',
  names: { name: 'value', nodes: 'value' } satisfies OptionNames<SentinelOptions>,
}

/** Longest wait for the answer of one sentinel. */
const ANSWER_MS = 1_000
/** How long the others may still answer once enough of them have. */
const GRACE_MS = 50
/** Questions within the time that a primary is believed in without an answer. */
const QUESTIONS_PER_TRUST = 4

/** A server that was taken for the primary, until it is left. */
interface Followed {
  readonly endpoint: string
  readonly trustMs: number
  readonly leave: (reason: string) => void
  /** The newest configuration epoch in which sentinels named this server. */
  epoch: number
  /** When enough sentinels that named this server were asked. */
  confirmedAtMs: number
}

/**
 * The sentinels of one primary. They are asked for it all at once, and listened to afterwards.
 *
 * A failover begins a new configuration epoch, and a sentinel that is cut off from the others does not learn of it. So
 * the answer of the newest epoch counts, and half of the sentinels at least have to answer. A failover needs the votes
 * of a majority: among any half there is one sentinel that has voted.
 */
export class Sentinels {
  readonly #links: readonly SentinelLink[]
  readonly #needed: number
  #followed: Followed | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #usesTls: boolean
  /** The epoch of the answer that {@link locate} gave last. */
  #locatedEpoch = 0

  /**
   * @param clientOptions of the primary, whose TLS options apply to the sentinels too
   * @param isUnref whether the connections to the sentinels let the process end
   * @throws CacheError `CACHE_INVALID_OPTIONS`
   */
  constructor(options: SentinelOptions, clientOptions: NodeRedisOptions, isUnref: boolean) {
    assertOptions(options, SENTINEL_OPTIONS)
    const { name } = options
    if (typeof name !== 'string' || name === '') {
      throw refusedOption('sentinel.name', 'the name under which the sentinels know the primary', name)
    }
    const addresses = withTls(parseRedisUrls('sentinel.nodes', options.nodes), clientOptions)
    const socketOptions = tlsOptionsIn(clientOptions)
    this.#links = addresses.map(
      (one) => new SentinelLink(one, socketOptions, name, () => this.#check(), isUnref),
    )
    this.#usesTls = addresses[0].socket.tls
    this.#needed = Math.ceil(addresses.length / 2)
  }

  /**
   * The address of the primary, as the Sentinel client specification describes it.
   * @throws CacheError `CACHE_UNAVAILABLE` if less than half of the sentinels know the primary
   */
  async locate(): Promise<RedisAddress> {
    const failures: string[] = []
    const [newest, ...others] = await this.#ask(ANSWER_MS, failures)
    const count = newest === undefined ? 0 : 1 + others.length
    if (newest === undefined || count < this.#needed) {
      const total = this.#links.length
      throw unavailable(
        `${count} of ${total} sentinels know the primary, ${this.#needed} have to; ${failures.join(', ')}`,
      )
    }
    const { epoch, host, port } = newest
    this.#locatedEpoch = epoch
    const socket = { host, port, tls: this.#usesTls }
    return { socket, username: undefined, password: undefined, database: 0, endpoint: endpointOf(newest) }
  }

  /**
   * Keeps asking whether this server is the primary, and listens for switches, until `unfollow` or `close`.
   * @param leave called once if the sentinels name another primary, or if too few of them have answered for `trustMs`
   */
  follow(endpoint: string, trustMs: number, leave: (reason: string) => void): void {
    this.unfollow()
    this.#followed = { endpoint, trustMs, leave, epoch: this.#locatedEpoch, confirmedAtMs: systemMs() }
    this.#checkLater()
  }

  unfollow(): void {
    this.#followed = undefined
    clearTimeout(this.#timer)
  }

  /** Milliseconds since enough sentinels confirmed the server that is followed. */
  get unconfirmedMs(): number {
    return this.#followed === undefined ? 0 : systemMs() - this.#followed.confirmedAtMs
  }

  close(): void {
    this.unfollow()
    for (const link of this.#links) link.close()
  }

  #checkLater(): void {
    const { trustMs } = this.#followed as Followed
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#check(), Math.min(trustMs / QUESTIONS_PER_TRUST, ANSWER_MS)).unref()
  }

  async #check(): Promise<void> {
    const followed = this.#followed
    if (followed === undefined) return
    clearTimeout(this.#timer)
    const askedAtMs = systemMs()
    const boundMs = Math.min(followed.trustMs / QUESTIONS_PER_TRUST, ANSWER_MS)
    const answers = (await this.#ask(boundMs)).filter(({ epoch }) => epoch >= followed.epoch)
    if (this.#followed !== followed) return
    const isEnough = answers.length >= this.#needed
    const newestEpoch = answers[0]?.epoch ?? followed.epoch
    const newest = answers.filter(({ epoch }) => epoch === newestEpoch)
    if (newest.some((answer) => endpointOf(answer) === followed.endpoint)) {
      followed.epoch = newestEpoch
      if (isEnough) followed.confirmedAtMs = askedAtMs
    } else if (newest.length > 0 && (isEnough || newestEpoch > followed.epoch)) {
      this.#leave(followed, 'no longer the primary')
      return
    }
    // There is no time left for another question.
    const isTrusted = systemMs() + boundMs < followed.confirmedAtMs + followed.trustMs
    if (isTrusted) this.#checkLater()
    else this.#leave(followed, `fewer than ${this.#needed} of ${this.#links.length} sentinels answer`)
  }

  #leave({ leave }: Followed, reason: string): void {
    this.unfollow()
    leave(reason)
  }

  /** Asks all sentinels at once. @returns the answers, the newest epoch first */
  #ask(boundMs: number, failures: string[] = []): Promise<readonly NamedPrimary[]> {
    const answers: NamedPrimary[] = []
    return new Promise((resolve) => {
      let waiting = this.#links.length
      let grace: NodeJS.Timeout | undefined
      const end = () => {
        clearTimeout(grace)
        resolve(answers.toSorted((one, other) => other.epoch - one.epoch))
      }
      const settled = () => {
        waiting--
        if (waiting === 0) end()
        else if (answers.length === this.#needed) grace ??= setTimeout(end, GRACE_MS)
      }
      for (const link of this.#links) {
        link
          .ask(boundMs)
          .then((answer) => answers.push(answer))
          .catch((error) => failures.push(`${link.endpoint}: ${detailOf(error)}`))
          .finally(settled)
      }
    })
  }
}

function endpointOf({ host, port }: NamedPrimary): string {
  return `${host}:${port}`
}
