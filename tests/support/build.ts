import { execFile } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Twenty seconds on an idle machine; another worker may build first, and the machine may be busy. */
const BUILD_TIMEOUT_MS = 240_000

const PACKAGE_SOURCES = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json']

/** What can be built: how, what it is made of, and one of the files that it writes. */
interface Recipe {
  readonly project: string
  readonly sources: readonly string[]
  readonly product: string
}

const BUILDS = {
  package: { project: 'tsconfig.build.json', sources: PACKAGE_SOURCES, product: 'dist/index.js' },
  // Compiled against the types of the built package.
  examples: {
    project: 'tsconfig.tools.json',
    sources: [...PACKAGE_SOURCES, 'examples', 'testbed', 'tsconfig.tools.json'],
    product: 'build/examples/demo/main.js',
  },
} as const satisfies Record<string, Recipe>

type Build = keyof typeof BUILDS

/** Has the package in `dist/`, or the examples in `build/` too, built before the tests of this file run. */
export function useBuild(name: Build): void {
  beforeAll(async () => {
    await ensureBuilt('package')
    await ensureBuilt(name)
  }, BUILD_TIMEOUT_MS)
}

/**
 * Builds what is older than its sources, and nothing else: the compiler must not write what others are running. Where
 * several workers ask at once, one builds and the others wait.
 */
async function ensureBuilt(name: Build): Promise<void> {
  if (isUpToDate(name)) return
  await waitUntil(lock, { what: 'another build to end', timeoutMs: BUILD_TIMEOUT_MS })
  try {
    if (isUpToDate(name)) return
    const begunAt = new Date()
    await promisify(execFile)('npx', ['tsc', '-p', BUILDS[name].project], { cwd: ROOT })
    // What is edited while the compiler runs is newer than the stamp.
    writeFileSync(stampOf(name), '')
    utimesSync(stampOf(name), begunAt, begunAt)
  } finally {
    rmSync(LOCK, { force: true })
  }
}

const LOCK = join(ROOT, 'build/.lock')
const stampOf = (name: Build) => join(ROOT, `build/.${name}-built`)

function isUpToDate(name: Build): boolean {
  const { product, sources } = BUILDS[name]
  const builtMs = changedMs(stampOf(name)) ?? 0
  return (
    changedMs(join(ROOT, product)) !== undefined &&
    newestMs(sources.map((path) => join(ROOT, path))) < builtMs
  )
}

/** A folder counts too: it changes where a file is removed. */
function newestMs(paths: readonly string[]): number {
  return Math.max(...paths.flatMap((path) => [changedMs(path) ?? 0, newestMs(childrenOf(path))]))
}

function childrenOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return []
  return readdirSync(path).map((name) => join(path, name))
}

function changedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** Takes the lock, or that of a process that has died. Returns whether this process has it now. */
function lock(): boolean {
  mkdirSync(join(ROOT, 'build'), { recursive: true })
  try {
    const file = openSync(LOCK, 'wx')
    writeFileSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch {
    const owner = Number(readFileSync(LOCK, 'utf8'))
    if (owner !== 0 && !isAlive(owner)) rmSync(LOCK, { force: true })
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
