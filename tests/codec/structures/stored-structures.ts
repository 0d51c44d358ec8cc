/** Where the record structures of the prefix lie. */
export const PLACE = 'shop:\0structures'

export const USER = {
  id: 1,
  name: 'Ada',
  geo: { lat: 51.5, lon: -0.13 },
  born: new Date(0),
  tags: new Set(['a']),
}

export const ORDER = { number: 7n, lines: [{ article: 'a', count: 2 }] }
