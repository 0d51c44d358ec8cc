import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { FAULTS } from '../faults/faults/all-faults.ts'
import { withTables } from '../faults/report/page.ts'
import { readResults } from '../faults/report/result.ts'

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const page = readFileSync(pathOf('docs/reliability.md'), 'utf8')
const results = readResults(pathOf('tests/faults/results'))

test('docs/reliability.md has the recorded results', () => {
  expect(page).toBe(withTables(page, results))
})

test('the results of three servers are recorded, with every fault and nothing wrong', () => {
  expect(results.length).toBeGreaterThanOrEqual(3)
  const names = FAULTS.map(({ name }) => name)
  for (const { rows, server } of results) {
    expect(
      rows.map(({ fault }) => fault),
      server,
    ).toEqual(names)
    for (const { failed, fault, unsettled, wrong } of rows)
      expect({ failed, unsettled, wrong }, `${server}: ${fault}`).toEqual({
        failed: 0,
        unsettled: 0,
        wrong: 0,
      })
  }
})
