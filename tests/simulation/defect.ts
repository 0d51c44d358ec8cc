/** The key of the value that is made of others. */
export const COMPOSITE_KEY = 'whole'

/** Ways in which the simulated server can be wrong: each must be caught, or the simulation proves nothing. */
export type Defect =
  | 'fill ignores the token'
  | 'a slot ignores its fence'
  | 'pushes are lost'
  | 'generations are captured at the fill'
  | 'what is inherited is captured at the fill'
  | 'removals by pattern spare placeholders'
  | 'old commands run after a reconnect'
  | 'bump changes nothing'
  | 'epochs are not told'
  | 'loads are stored under a hold'
  | 'a delete ends a hold'
  | 'the first change ends the hold of all'
  | 'a delete spares placeholders'
  | 'a failed load may be tried again at once'
