import { countryName, thousands } from '../numbers.ts'
import type { Stage } from '../stage.ts'

/** Reads what {@link CachedPlaces.record} has kept. */
export async function countersAndASet({ backend, terminal }: Stage): Promise<void> {
  // An increment by nothing reads a counter, and starts none that is not there yet a minute too long.
  const nearest = await backend.incr('asked:nearest', 0, { ttl: '1m' })
  const spelling = await backend.incr('asked:spelling', 0, { ttl: '1m' })
  const countries = await backend.getSetMembers('countries')
  const some = countries.map(countryName).toSorted().slice(0, 3).join(', ')

  terminal.heading('Two counters and a set')
  terminal.table(
    ['', ''],
    [
      ['asked:nearest', terminal.bold(thousands(nearest))],
      ['asked:spelling', terminal.bold(thousands(spelling))],
      [
        'countries',
        `${terminal.bold(thousands(countries.length))}: ${some}${countries.length > 3 ? ', …' : ''}`,
      ],
    ],
  )
}
