import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { tunedByHand } from '../contenders/by-hand.ts'
import type { Contender } from '../contenders/contender.ts'
import { interleave } from '../measure/rounds.ts'
import type { Scenario } from './scenario.ts'

/** The script as it is emitted. */
const PROBE = fileURLToPath(new URL('../workers/import-probe.js', import.meta.url))

/** What a process pays before its first operation. */
export const coldStart: Scenario = {
  name: 'cold-start',
  about: 'time and bytes that an import takes in a new process',
  async measure({ contenders, progress, rounds }) {
    progress('cold start')
    const turns = oncePerImports(contenders).map(({ imports, kind, name }) => ({
      contender: name,
      kind,
      take: async () => ({
        importMs: await probe(imports),
        importBytes: await probe(['--bytes', ...imports]),
      }),
    }))
    await interleave(turns, 1) // brings the files into memory
    return [
      {
        id: 'cold-start/import',
        title: 'import in a new process',
        figure: 'importMs',
        baseline: tunedByHand.name,
        rows: await interleave(turns, rounds),
      },
    ]
  },
}

/** Contenders that differ in options alone import the same. */
function oncePerImports(contenders: readonly Contender[]): readonly Contender[] {
  const seen = new Set<string>()
  return contenders.filter(({ imports }) => {
    const id = imports.join()
    if (imports.length === 0 || seen.has(id)) return false
    seen.add(id)
    return true
  })
}

async function probe(args: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROBE, ...args], { timeout: 60_000 })
  return Number(stdout)
}
