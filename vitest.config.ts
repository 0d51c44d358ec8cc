import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests mostly wait, for servers and for time to pass: three at a time keep two cores busy. */
const FEWEST_WORKERS = 3

/**
 * Most test files share a process with others, which saves a third of the time: whoever is next finds everything
 * imported. Files that change what all code of a process uses, or that measure the process, have one of their own.
 */
const CHANGES_PROCESS = [
  /\bvi\.(mock|spyOn|stubGlobal|useFakeTimers)\(/,
  /\.prototype[.,]|\bglobalThis\b|\bprocess\.(on|once)\(/,
  // It slows down all promises of a process, also once it is no longer used.
  /\bAsyncLocalStorage\b/,
  /\bprocess\.(memoryUsage|getActiveResourcesInfo)\(|\bsetFlagsFromString\(/,
]

const APART = readdirSync('tests', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => `tests/${file}`)
  .filter((file) => {
    const text = readFileSync(file, 'utf8')
    // The simulation makes mutants of the library.
    return file.startsWith('tests/simulation/') || CHANGES_PROCESS.some((pattern) => pattern.test(text))
  })

/** These files take the longest by far. If they started last, they would run alone. */
const LONGEST = ['tests/simulation/coherence.test.ts', 'tests/simulation/mutations.test.ts']

/** Processes are shared by files that follow each other. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rankOf = ({ moduleId, project }: TestSpecification) =>
      LONGEST.some((path) => moduleId.endsWith(path)) ? 0 : project.name === 'apart' ? 1 : 2
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^cachewright$/, replacement: source('index.ts') },
      { find: 'cachewright/redis', replacement: source('redis/redis-cache-backend.ts') },
      { find: 'cachewright/ioredis', replacement: source('redis/ioredis-cache-backend.ts') },
      { find: 'cachewright/memory', replacement: source('memory/memory-cache-backend.ts') },
      { find: 'cachewright/null', replacement: source('null/null-cache-backend.ts') },
      { find: 'cachewright/testing', replacement: source('testing/testing.ts') },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'apart', include: APART } },
      {
        extends: true,
        test: { name: 'together', include: ['tests/**/*.test.ts'], exclude: APART, isolate: false },
      },
    ],
    // For what hangs. A test that takes longer than a few seconds on an idle machine has a longer bound of its own.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: Math.max(FEWEST_WORKERS, Math.floor(availableParallelism() / 2)),
    sequence: { sequencer: LongestFirst },
    unstubEnvs: true,
    // Caches without an address would use it.
    env: { REDIS_URL: '' },
    // What was compiled for the last run is used again.
    experimental: { fsModuleCache: true, fsModuleCachePath: 'build/vitest-cache' },
  },
})
