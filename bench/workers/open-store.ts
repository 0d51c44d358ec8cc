import type { Setting, Store } from '../contenders/contender.ts'
import { contenderNamed } from '../contenders/contenders.ts'

/** Opens a contender by name, as a scenario would have it. */
export function openStore(name: string, tier: 'shared' | 'local', setting: Setting): Promise<Store> {
  const contender = contenderNamed(name)
  const store = tier === 'shared' ? contender.openShared?.(setting) : contender.openLocal?.(setting)
  if (store === undefined) throw new Error(`${name} cannot be opened with a ${tier} tier`)
  return store
}
