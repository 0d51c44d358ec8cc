import type { SchemaResult } from '../../contract/standard-schema.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { Policies } from '../freshness/policies.ts'
import type { NamespaceReadsParts } from '../reading/namespace-reads.ts'
import type { WritePath } from '../writing/write-path.ts'
import { type ResolvedCollection, tagsFor } from './collection-options.ts'
import { schemaMismatch } from './schema-mismatch-error.ts'
import { isPending, type SchemaValidation } from './schema-validation.ts'

/** The parts of a cache that its collections use. */
export interface CollectionHome extends NamespaceReadsParts {
  readonly writes: WritePath
}

/** The parts of one collection. */
export interface CollectionParts<Id> {
  readonly home: CollectionHome
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

  constructor(parts: CollectionParts<Id>) {
    this.#parts = parts
  }

  /**
   * Stores a value, and removes the entries of the neighbouring versions on the same trip.
   * @returns whether Redis has acknowledged both
   * @throws SchemaMismatchError if the value does not fit; nothing is changed then
   */
  async set(id: Id, key: string, value: Input): Promise<boolean> {
    assertCacheKey(key)
    const { home, policies, resolved, validation } = this.#parts
    const { core, space, writes } = home
    const admit = ({ issues }: SchemaResult<unknown>) => {
      if (issues !== undefined) throw schemaMismatch('set', resolved.name, key, 'set', issues)
    }
    const checked = validation.check(value)
    const admitted = isPending(checked) ? Promise.resolve(checked).then(admit) : admit(checked)
    const storedKey = space.storedKey(key)
    const generationKeys = core.generationKeys(space, storedKey, tagsFor(resolved, id))
    const neighbours = this.#neighboursOf(id).map((neighbour) => space.storedKey(neighbour))
    // Before the validation has ended, so that later reads of the id wait for it.
    const sent = Promise.allSettled([
      writes.write({ storedKey, value, generationKeys, policies, admitted: admitted ?? undefined }),
      admitted ? admitted.then(() => writes.remove(neighbours)) : writes.remove(neighbours),
    ])
    await admitted
    return core.policy.absorb('set', key, false, async () => {
      const [written, removed] = await sent
      if (written.status === 'rejected') throw written.reason
      if (removed.status === 'rejected') throw removed.reason
      core.policy.events.emit('set', { key, ttlMs: policies.ttlMs, bytes: written.value })
      return true
    })
  }

  /** Deletes the entry of an id in this version and in the neighbouring ones; `true` if any was there. */
  async delete(id: Id, key: string): Promise<boolean> {
    const { core, space, writes } = this.#parts.home
    return core.policy.absorb('delete', key, false, async () => {
      assertCacheKey(key)
      const keys = [key, ...this.#neighboursOf(id)]
      const removed = await writes.remove(keys.map((one) => space.storedKey(one)))
      core.policy.events.emit('delete', { keys, removed })
      return removed > 0
    })
  }

  #neighboursOf(id: Id): string[] {
    const { neighbours, partOf } = this.#parts.resolved
    const part = partOf(id)
    return neighbours.map((prefix) => prefix + part)
  }
}
