import type { Fence } from '../../src/backend/seams/shared-tier.ts'

/** The key of the value that is made of others. */
export const COMPOSITE_KEY = 'whole'

/** Ways in which the simulated server can be wrong: each must be caught, or the simulation proves nothing. */
export type Defect =
  | 'fill ignores the token'
  | 'a slot ignores its fence'
  | 'pushes are lost'
  | 'generations are captured at the fill'
  | 'what is inherited is captured at the fill'
  | 'an expiry ignores what was written meanwhile'
  | 'removals by pattern spare placeholders'
  | 'old commands run after a reconnect'
  | 'bump changes nothing'
  | 'epochs are not told'
  | 'loads are stored under a hold'
  | 'a delete ends a hold'
  | 'the first change ends the hold of all'
  | 'a delete spares placeholders'
  | 'a failed load may be tried again at once'

/** Whether a server with these defects stores what the fence should keep out. */
export function ignoresFence({ kind }: Fence, defects: ReadonlySet<Defect>): boolean {
  if (kind === 'entry' && defects.has('an expiry ignores what was written meanwhile')) return true
  return defects.has(kind === 'lease' ? 'fill ignores the token' : 'a slot ignores its fence')
}
