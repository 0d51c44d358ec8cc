import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page = textOf('docs/bugs-of-others.md')
const entries = page.split('\n### ').slice(1)
const links = [...page.matchAll(/^Test: \[(.+)\]\(\.\.\/(tests\/.+\.test\.ts)\)$/gm)].map(
  ([, title, path]) => ({ title: title as string, path: path as string }),
)

test('every entry of docs/bugs-of-others.md names an issue and one test', () => {
  expect(entries.length).toBeGreaterThan(12)
  expect(links).toHaveLength(entries.length)
  for (const entry of entries) {
    expect(entry).toMatch(/`[\w.-]+\/[\w.-]+#\d+`/)
    expect(entry.match(/^Test: /gm), entry).toHaveLength(1)
  }
})

test('the tests that docs/bugs-of-others.md names are there', () => {
  for (const { path, title } of links) expect(textOf(path), path).toContain(`test('${title}',`)
})

test('docs/bugs-of-others.md names every file of tests/bugs-of-others', () => {
  const files = readdirSync(new URL('../bugs-of-others/', import.meta.url))
  const named = new Set(links.map(({ path }) => path))
  for (const file of files) expect(named).toContain(`tests/bugs-of-others/${file}`)
})
