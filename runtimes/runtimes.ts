import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A runtime that the programs are run with. */
export interface Runtime {
  /** Its name and version. */
  readonly title: string
  /** The path of its program. */
  readonly program: string
  /** What stands before the path of a program to run. */
  readonly args: readonly string[]
}

const DENO_ARGS = ['run', '--allow-all', '--no-lock', '--cached-only']
const BUN_ARGS = ['run', '--no-install']

/** Where the packages of `package.json` have their programs. */
const INSTALLED: readonly {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
}[] = [
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

/** Those that run here, and the names of those that do not. Where none does, the Node of this process. */
export function findRuntimes(): { readonly found: readonly Runtime[]; readonly missing: readonly string[] } {
  const found: Runtime[] = []
  const missing: string[] = []
  for (const { args, name, program } of INSTALLED) {
    const path = `${FOLDER}${program}`
    const version = versionOf(path)
    if (version === undefined) missing.push(program.replace(/\/(bin\/)?[a-z]+$/, ''))
    else found.push({ title: `${name} ${version}`, program: path, args })
  }
  if (found.length > 0) return { found, missing }
  return {
    found: [{ title: `Node ${process.versions.node}`, program: process.execPath, args: [] }],
    missing,
  }
}

/** Its version, as it says itself; `undefined` if it is not installed, or does not run on this system. */
function versionOf(program: string): string | undefined {
  try {
    return /\d+\.\d+\.\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0]
  } catch {
    return undefined
  }
}
