import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('docs/operations.md shows the server as it is', () => {
  expect(textOf('docs/operations.md')).toContain(`\`\`\`ts\n${textOf('examples/server/main.ts')}\`\`\``)
})
