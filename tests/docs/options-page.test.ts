import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CREATE_CACHE_OPTIONS } from '../../src/cache/create-cache.ts'
import type { KnownOptions } from '../../src/foundation/option-checks.ts'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = textOf('docs/options.md')
/** The first two cells of every row that begins with the name of an option. */
const rows = [...page.matchAll(/^\| `([\w.]+)` *\| (.*?) *\|/gm)].map(
  ([, name, type]) => [name, type] as const,
)

/** The options and those of their groups by path, each with whether it is a duration. */
function durations({ names }: KnownOptions, path = ''): (readonly [path: string, isDuration: boolean])[] {
  return Object.entries(names).flatMap(([name, kind]) => [
    [path + name, kind === 'duration'] as const,
    ...(typeof kind === 'object' ? durations(kind, `${path}${name}.`) : []),
  ])
}

test('docs/options.md has every option of createCache and of its groups once, and no other', () => {
  const known = durations(CREATE_CACHE_OPTIONS).map(([path]) => path)
  expect(known).toEqual(expect.arrayContaining(['coherence.trust', 'lease.ttl', 'redis.cluster.nodes']))
  expect(rows.map(([name]) => name).sort()).toEqual(known.sort())
})

test('docs/options.md tells which options are durations', () => {
  const told = rows.map(([name, type]) => [name, type?.startsWith('duration')])
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(durations(CREATE_CACHE_OPTIONS)))
})

test('docs/options.md has every variable of the environment, and no other', () => {
  const variables = (text: string) => new Set(text.match(/\b(?:REDIS_URL|CACHEWRIGHT_[A-Z_]+|NODE_ENV)\b/g))
  expect(variables(page)).toEqual(variables(textOf('src/foundation/environment.ts')))
})
