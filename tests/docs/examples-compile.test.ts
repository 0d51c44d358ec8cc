import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { it } from 'vitest'
import { useBuild } from '../support/build.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = fileURLToPath(new URL('../../build/doc-examples/', import.meta.url))

// Compiled as a user compiles them: against the types of the built package.
useBuild('package')

/** The fenced TypeScript of a file that imports something, so that it stands by itself. */
function examplesOf(file: string): string[] {
  const text = readFileSync(`${root}/${file}`, 'utf8').replaceAll(/^ *\* ?/gm, '')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)]
    .map(([, code]) => code as string)
    .filter((code) => code.includes('import '))
}

it('every example in the documentation compiles', () => {
  const tracked = execFileSync('git', ['ls-files', 'README.md', 'docs', 'src'], {
    cwd: root,
    encoding: 'utf8',
  })
  const files = tracked.trim().split('\n')
  const examples = files.flatMap((file) => examplesOf(file).map((code) => ({ file, code })))
  assert.ok(examples.length >= 4, `${examples.length} examples were found`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [index, { file, code }] of examples.entries()) {
    const name = `${file.replaceAll(/[^a-z0-9]+/gi, '-')}-${index}.ts`
    writeFileSync(`${folder}/${name}`, `${code}\nexport {}\n`)
  }
  writeFileSync(
    `${folder}/tsconfig.json`,
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: { paths: {} }, include: ['*.ts'] }),
  )
  const { status, stdout } = spawnSync('npx', ['tsc', '-p', folder], { cwd: root, encoding: 'utf8' })
  assert.equal(status, 0, stdout)
}, 90_000)
