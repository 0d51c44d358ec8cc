import type { SchemaResult } from '../../contract/standard-schema.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { Monitor } from '../core/monitor.ts'
import type { Policies } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { NamespaceReadsParts } from '../reading/namespace-reads.ts'
import { checkedCause, rememberCause } from '../writing/causes.ts'
import type { InvalidationOptions } from '../writing/invalidation-options.ts'
import { KeyExpiry } from '../writing/key-expiry.ts'
import type { WritePath } from '../writing/write-path.ts'
import { WriteSender } from '../writing/write-sender.ts'
import { type ResolvedCollection, tagsFor } from './collection-options.ts'
import { schemaMismatch } from './schema-mismatch-error.ts'
import { isPending, type SchemaValidation } from './schema-validation.ts'

/** The parts of a cache that its collections use. */
export interface CollectionHome extends NamespaceReadsParts {
  readonly writes: WritePath
}

/** The parts of one collection. */
export interface CollectionParts<Id> {
  /** The parts of the namespace that the collection lies in. */
  readonly home: CollectionHome
  /** Its own part of that namespace. */
  readonly space: KeySpace
  readonly monitor: Monitor
  readonly resolved: ResolvedCollection<Id>
  readonly policies: Policies
  readonly validation: SchemaValidation
}

/**
 * The writes of a collection. Each one also removes the entries of the same id in the neighbouring versions, so that
 * two deployments that run side by side see each other's changes.
 */
export class CollectionWrites<Id, Input> {
  readonly #parts: CollectionParts<Id>
  readonly #sender: WriteSender
  readonly #expiry: KeyExpiry
  /** The namespaces of the neighbouring versions. */
  readonly #neighbours: readonly KeySpace[]

  constructor(parts: CollectionParts<Id>) {
    this.#parts = parts
    this.#sender = new WriteSender(parts.home.core.changes, parts.monitor)
    this.#expiry = new KeyExpiry(parts.home.core, parts.home.writes)
    const { name, neighbours } = parts.resolved
    this.#neighbours = neighbours.map((version) => parts.home.space.ofCollection(name, version))
  }

  /**
   * Stores a value, and removes the entries of the neighbouring versions on the same trip.
   * @returns whether Redis has acknowledged both
   * @throws SchemaMismatchError if the value does not fit; nothing is changed then
   */
  async set(id: Id, key: string, value: Input): Promise<boolean> {
    assertCacheKey(key)
    const { home, monitor, policies, resolved, space, validation } = this.#parts
    const { core, writes } = home
    const admit = ({ issues }: SchemaResult<unknown>) => {
      if (issues !== undefined) throw schemaMismatch('set', resolved.name, key, 'set', issues)
    }
    const checked = validation.check(value)
    const admitted = isPending(checked) ? Promise.resolve(checked).then(admit) : admit(checked)
    const storedKey = space.storedKey(key)
    const generationKeys = core.generationKeys(space, storedKey, tagsFor(resolved, id))
    const neighbours = this.#besides(key)
    if (core.changes.current !== undefined) {
      await admitted
      const serialized = writes.serializedNow(value)
      return this.#sender.send('set', key, true, async () => {
        const request = { storedKey, value, serialized, generationKeys, policies }
        const [written] = await both(writes.write(request), writes.remove(neighbours))
        if (written !== undefined) monitor.stored(key, written.ttlMs, written.bytes)
        return true
      })
    }
    // Before the validation has ended, so that later reads of the id wait for it.
    const sent = both(
      writes.write({ storedKey, value, generationKeys, policies, admitted: admitted ?? undefined }),
      admitted ? admitted.then(() => writes.remove(neighbours)) : writes.remove(neighbours),
    )
    // If the value does not fit, this rejects before anybody awaits it.
    sent.catch(() => {})
    await admitted
    return monitor.absorb('set', key, false, async () => {
      const [written] = await sent
      if (written !== undefined) monitor.stored(key, written.ttlMs, written.bytes)
      return true
    })
  }

  /** Deletes the entry of an id in this version and in the neighbouring ones; `true` if any was there. */
  async delete(key: string, options: InvalidationOptions): Promise<boolean> {
    const { home, monitor, space } = this.#parts
    return monitor.absorb('delete', key, false, async () => {
      assertCacheKey(key)
      const cause = checkedCause(home.core, options)
      return this.#sender.send('delete', key, true, async () => {
        const storedKey = space.storedKey(key)
        const [removed] = await both(
          home.writes.remove([storedKey, ...this.#besides(key)]),
          rememberCause(home.core, [storedKey], cause),
        )
        monitor.deleted([key], removed, options.by)
        return removed > 0
      })
    })
  }

  /** Makes the entry of an id stale in this version, and removes those in the neighbouring ones. */
  async expire(key: string, options: InvalidationOptions): Promise<boolean> {
    const { home, monitor, space } = this.#parts
    return monitor.absorb('expire', key, false, async () => {
      assertCacheKey(key)
      const cause = checkedCause(home.core, options)
      return this.#sender.send('expire', key, true, async () => {
        const storedKey = space.storedKey(key)
        const [wasEntry] = await both(
          this.#expiry.expire(storedKey),
          Promise.all([home.writes.remove(this.#besides(key)), rememberCause(home.core, [storedKey], cause)]),
        )
        monitor.expired({ key, by: options.by })
        return wasEntry
      })
    })
  }

  /** As {@link delete}, for several keys. Returns how many of them were there in this version. */
  async deleteMany(keys: readonly string[], options: InvalidationOptions): Promise<number> {
    const { home, monitor, space } = this.#parts
    const { writes } = home
    return monitor.absorb('deleteMany', undefined, 0, async () => {
      for (const key of keys) assertCacheKey(key)
      const cause = checkedCause(home.core, options)
      return this.#sender.send('deleteMany', undefined, keys.length, async () => {
        // By commands of their own, which alone tell how many were there in this version.
        const storedKeys = keys.map((key) => space.storedKey(key))
        const [removed, [removedBeside]] = await both(
          writes.remove(storedKeys),
          Promise.all([
            writes.remove(keys.flatMap((key) => this.#besides(key))),
            rememberCause(home.core, storedKeys, cause),
          ]),
        )
        monitor.deleted(keys, removed + removedBeside, options.by)
        return removed
      })
    })
  }

  /** Removes all entries, in this version and in the neighbouring ones. Returns whether Redis has acknowledged it. */
  async clear(options: InvalidationOptions): Promise<boolean> {
    const { home, monitor, space } = this.#parts
    const { core, writes } = home
    return monitor.absorb('clear', undefined, false, async () => {
      const cause = checkedCause(home.core, options)
      return this.#sender.send('clear', undefined, true, async () => {
        const copies = core.tier.generationCopies
        const neighbours = this.#neighbours.flatMap((neighbour) => neighbour.ownGenerationKeys(copies))
        await both(writes.clear(space, monitor, cause), writes.renew(neighbours, { cause }))
        return true
      })
    })
  }

  /** The stored keys of an entry in the neighbouring versions. */
  #besides(key: string): string[] {
    return this.#neighbours.map((neighbour) => neighbour.storedKey(key))
  }
}

/** The results of two writes, when both have settled. @throws what the first of them throws that fails */
async function both<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<[One, Other]> {
  await Promise.allSettled([one, other])
  return Promise.all([one, other])
}
