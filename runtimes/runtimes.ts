import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A runtime that the programs are run with. */
export interface Runtime {
  readonly name: string
  /** The path of its program. */
  readonly program: string
  /** What stands before the path of a program to run. */
  readonly args: readonly string[]
}

const DENO_ARGS = ['run', '--allow-all', '--no-lock', '--cached-only']
const BUN_ARGS = ['run', '--no-install']

/** Where the packages of `package.json` have their programs. */
const INSTALLED: readonly Runtime[] = [
  { name: 'Node', program: 'node-20-oldest/bin/node', args: [] },
  { name: 'Node', program: 'node-22-oldest/bin/node', args: [] },
  { name: 'Node', program: 'node-22/bin/node', args: [] },
  { name: 'Node', program: 'node-24/bin/node', args: [] },
  { name: 'Node', program: 'node-26/bin/node', args: [] },
  // The build for processors of any age.
  { name: 'Bun', program: '@oven/bun-linux-x64-baseline/bin/bun', args: BUN_ARGS },
  { name: 'Deno', program: '@deno/linux-x64-glibc/deno', args: DENO_ARGS },
]

/** This file lies in `build/runtimes/` when it runs. */
const FOLDER = fileURLToPath(new URL('../../runtimes/node_modules/', import.meta.url))

/** Those that are installed, and the names of those that are not. Where none is, the Node of this process. */
export function findRuntimes(): { readonly found: readonly Runtime[]; readonly missing: readonly string[] } {
  const placed = INSTALLED.map((runtime) => ({ ...runtime, program: `${FOLDER}${runtime.program}` }))
  const found = placed.filter(({ program }) => existsSync(program))
  const missing = INSTALLED.filter((_, index) => !found.includes(placed[index] as Runtime))
  return {
    found: found.length > 0 ? found : [{ name: 'Node', program: process.execPath, args: [] }],
    missing: missing.map(({ program }) => program.replace(/\/(bin\/)?[a-z]+$/, '')),
  }
}

/** Its version, as it says itself. */
export function versionOf({ program }: Runtime): string {
  const said = execFileSync(program, ['--version'], { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? said.trim()
}
