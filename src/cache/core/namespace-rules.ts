import { abbreviate } from '../../foundation/errors/cache-error.ts'
import { invalidOptions } from '../../foundation/option-checks.ts'
import type { Isolation } from '../local/isolation.ts'
import type { LocalRule } from '../local/shelf-rules.ts'
import type { CacheCore } from './cache-core.ts'
import { assertIsolation } from './read-through-options.ts'

/** What belongs to the keys under a prefix, and not to a caller, for the life of the cache. */
export interface NamespaceRules {
  readonly isolate?: Isolation | undefined
  readonly local?: LocalRule | undefined
}

/**
 * Gives the keys under a prefix rules of their own, once.
 * @param prefix of the stored keys
 * @param name of the namespace, for messages
 * @throws CacheError `CACHE_INVALID_OPTIONS` if they have others already; nothing is changed then
 */
export function claimRules(
  core: CacheCore,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  { isolate, local }: NamespaceRules,
): void {
  if (isolate !== undefined) {
    assertIsolation(isolate)
    if ((core.isolations.own(prefix) ?? isolate) !== isolate) throw anotherOne(name, 'isolate')
  }
  if (local !== undefined) claimLocal(core, name, prefix, local)
  if (isolate === undefined) return
  const before = core.isolations.of(prefix)
  core.isolations.set(prefix, isolate)
  // What was isolated in another way must be read again.
  if (before !== isolate) forget(core, prefix)
}

function claimLocal(core: CacheCore, name: string, prefix: string, rule: LocalRule): void {
  const { clock, local, metrics, rootPrefix } = core
  const namePrefix = prefix.slice(rootPrefix.length)
  const counts = metrics.of(namePrefix)
  const isNew = local.claim(namePrefix, rule, () => counts.add('evictions', 1, clock.monotonicMs()))
  if (isNew === undefined) throw anotherOne(name, 'local')
  // What lies elsewhere would not be found any more, and what was to be served for longer must be read again.
  if (isNew) forget(core, prefix)
}

function forget(core: CacheCore, prefix: string): void {
  core.removing((storedKey) => storedKey.startsWith(prefix))
}

function anotherOne(name: string, option: string): Error {
  return invalidOptions(`The namespace ${abbreviate(name)} has another ${option} already`)
}
