/** What a scenario caches under the keys {@link keyOf} 0, 1, 2, …. */
export interface Payload {
  readonly name: string
  readonly bytes: number
  /** How many different keys are read in turn. */
  readonly keys: number
  valueOf(id: number): unknown
}

/** A flat object of about 100 B. */
function smallObject(id: number): object {
  return { id, name: 'Ada Lovelace', email: 'ada@example.org', active: true, roles: ['admin', 'editor'] }
}

/** A nested object of about 1 KB, of the kind that services cache. */
function sampleObject(id: number): object {
  return {
    id,
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    active: true,
    roles: ['admin', 'editor'],
    address: {
      street: "12 St James's Square",
      city: 'London',
      zip: 'SW1Y 4JH',
      geo: { lat: 51.507, lon: -0.134 },
    },
    visits: Array.from({ length: 8 }, (_, visit) => ({
      at: 1_700_000_000 + visit,
      action: 'login',
      from: `10.0.0.${visit}`,
      ok: true,
    })),
    biography: 'Wrote the first program for a machine that was never built. '.repeat(5),
  }
}

/** A page of records, as a query answers. */
function records(id: number, count: number): object {
  return {
    id,
    records: Array.from({ length: count }, (_, record) => ({
      id: id * 1_000 + record,
      name: `record ${record} of ${id}`,
      price: record * 1.25,
      stock: record % 17,
      tags: ['new', 'sale'],
      active: record % 2 === 0,
    })),
  }
}

export const OBJECT_100B: Payload = { name: '100 B', bytes: 100, keys: 2_000, valueOf: smallObject }
export const OBJECT_1K: Payload = { name: '1 KB', bytes: 1_000, keys: 2_000, valueOf: sampleObject }

export const OBJECTS: readonly Payload[] = [
  OBJECT_100B,
  OBJECT_1K,
  { name: '10 KB', bytes: 10_000, keys: 1_000, valueOf: (id) => records(id, 95) },
  { name: '100 KB', bytes: 100_000, keys: 200, valueOf: (id) => records(id, 930) },
]

export const TEXT_1K: Payload = { name: '1 KB', bytes: 1_000, keys: 2_000, valueOf: () => 'y'.repeat(1_024) }

export function keyOf(id: number): string {
  return `object:${id}`
}

export function idOf(key: string): number {
  return Number(key.slice('object:'.length))
}
