import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Short trials mostly wait, for servers and for time to pass: three at a time keep two cores busy. Long ones compute. */
const fewestWorkers = process.env.CACHEWRIGHT_TRIALS === 'full' ? 2 : 3

/** These files take the longest by far. If they started last, they would run alone. */
const LONGEST = ['tests/simulation/coherence.test.ts', 'tests/simulation/mutations.test.ts']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const longest = sorted.filter(({ moduleId }) => LONGEST.some((path) => moduleId.endsWith(path)))
    return [...longest, ...sorted.filter((file) => !longest.includes(file))]
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
    include: ['tests/**/*.test.ts'],
    // For what hangs. A test that takes longer than a few seconds on an idle machine has a longer bound of its own.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: Math.max(fewestWorkers, Math.floor(availableParallelism() / 2)),
    sequence: { sequencer: LongestFirst },
    unstubEnvs: true,
    // Caches without an address would use it.
    env: { REDIS_URL: '' },
    // What was compiled for the last run is used again. Every file still has a process of its own: several replace
    // methods of classes, or measure memory.
    experimental: { fsModuleCache: true, fsModuleCachePath: 'build/vitest-cache' },
  },
})
