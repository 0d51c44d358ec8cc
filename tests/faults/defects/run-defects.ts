import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { DEFECTS, type Defect } from './defects.ts'

/** The package, with its build and that of the bench. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
/** Long enough for a defect to show on a busy machine, too. */
const LASTS_S = 12
/** What a defect breaks does not become well. */
const PATIENCE_S = 8
const COPIED = ['package.json', 'dist', 'build/testbed', 'build/tests']

/**
 * Puts each defect into a copy of the built library, and lets the bench look for it.
 *
 * @returns what tells of the defects that it did not find
 */
export async function runDefects(): Promise<string[]> {
  const results = await Promise.all(DEFECTS.map((defect, index) => isFound(defect, index)))
  return DEFECTS.filter((_, index) => !results[index]).map(({ name }) => `The bench did not find: ${name}`)
}

async function isFound(defect: Defect, index: number): Promise<boolean> {
  const folder = `${ROOT}build/defects/${index}/`
  rmSync(folder, { recursive: true, force: true })
  for (const path of COPIED) cpSync(ROOT + path, folder + path, { recursive: true })
  putInto(defect, folder)
  const times = ['--seconds', String(LASTS_S), '--patience', String(PATIENCE_S)]
  const options = ['--only', defect.fault, '--at-once', '1', ...times]
  const bench = spawn(process.execPath, [`${folder}build/tests/faults/main.js`, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  bench.stderr.resume()
  const [output, [status]] = await Promise.all([text(bench.stdout), once(bench, 'close')])
  const isCaught = status === 1 && defect.found.test(output)
  console.log(`${isCaught ? '✓ found' : '✗ not found'}: ${defect.name}${isCaught ? '' : `\n${output}`}`)
  return isCaught
}

function putInto({ edits, file, name }: Defect, folder: string): void {
  let source = readFileSync(folder + file, 'utf8')
  for (const [present, defective] of edits) {
    if (source.split(present).length !== 2)
      throw new Error(`${file} does not hold "${present}" once: ${name}`)
    source = source.replace(present, () => defective)
  }
  writeFileSync(folder + file, source)
}
