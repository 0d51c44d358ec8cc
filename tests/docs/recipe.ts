import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const page = readFileSync(new URL('../../docs/recipes.md', import.meta.url), 'utf8')
const folder = fileURLToPath(new URL('../../build/recipes/', import.meta.url))

/** The first block of code under a heading of the page. */
export function blockOf(heading: string, language: 'ts' | 'sql'): string {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [, rest = ''] = (section.split('\n## ')[0] ?? '').split(`\n\`\`\`${language}\n`)
  const [code = ''] = rest.split('\n```')
  assert.ok(code !== '', `'${heading}' has ${language}`)
  return code
}

/** What the code under a heading of the page exports. */
export async function recipe<Exports>(heading: string): Promise<Exports> {
  const code = blockOf(heading, 'ts')
  const file = `${folder}${heading.toLowerCase().replaceAll(/[^a-z]+/g, '-')}.ts`
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, code)
  return import(file)
}

/** The headings of the page, one for each recipe. */
export const HEADINGS: readonly string[] = [...page.matchAll(/^## (.+)$/gm)].map(
  ([, heading = '']) => heading,
)
