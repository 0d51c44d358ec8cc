import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, it } from 'vitest'
import { ROOT, run, usePackedProject } from './packed-project.ts'

const TYPE_CHECK_TIMEOUT_MS = 240_000

const project = usePackedProject()

/** The type definitions of Node, which every TypeScript project on Node has. */
beforeAll(() => {
  for (const name of ['@types', 'undici-types']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(project.folder, 'node_modules', name))
  }
})

const USE = `
  import { CacheError, cached, createCache, type Cache, type Duration } from 'cachewright'
  import { IoredisCacheBackend } from 'cachewright/ioredis'
  import { MemoryCacheBackend, type MemoryCacheBackendOptions } from 'cachewright/memory'
  import { NullCacheBackend } from 'cachewright/null'
  import { RedisCacheBackend } from 'cachewright/redis'
  import { ManualClock } from 'cachewright/testing'

  const ttl: Duration = '5m'
  const cache: Cache = createCache({ ttl })
  export const answer: Promise<number> = cache.getOrSet('answer', async () => 42)
  const options: MemoryCacheBackendOptions = { maxEntries: 5, clock: new ManualClock() }
  export const value: Promise<{ a: number } | undefined> = new MemoryCacheBackend<{ a: number }>(options).get('a')
  // @ts-expect-error options are an object
  new MemoryCacheBackend(7)
  export const codeOf = (error: unknown) => (error instanceof CacheError ? error.code : undefined)
  export const backends = [IoredisCacheBackend, NullCacheBackend, RedisCacheBackend]

  export class Shop {
    readonly tenant: string = 'north'
    @cached(cache, { ttl: '1m' })
    async find(id: string): Promise<string> { return id }
    @cached((shop: Shop) => cache, { key(this: Shop, id: string) { return this.tenant + id } })
    async findOwn(id: string, isFresh: boolean): Promise<string> { return id + isFresh }
    @cached(cache)
    static async count(): Promise<number> { return 1 }
    // @ts-expect-error what is cached has to be a promise
    @cached(cache)
    name(): string { return 'shop' }
  }
`

/** Type-checks files of the project, the type definitions of the package included. */
function typeCheck(files: readonly string[], ...options: readonly string[]): void {
  const common = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node', '--esModuleInterop']
  run(join(ROOT, 'node_modules/.bin/tsc'), [...common, ...options, ...files], project.folder)
}

describe('a TypeScript project', () => {
  it('finds all types with moduleResolution node16, from ES modules and from CommonJS', {
    timeout: TYPE_CHECK_TIMEOUT_MS,
  }, () => {
    const files = [project.write('types/esm.mts', USE), project.write('types/cjs.cts', USE)]
    typeCheck(files, '--module', 'node16')
  })

  it('finds all types with moduleResolution bundler', { timeout: TYPE_CHECK_TIMEOUT_MS }, () => {
    typeCheck(
      [project.write('types/bundled.ts', USE)],
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--skipLibCheck',
    )
  })

  it('finds all types with moduleResolution node10 and experimental decorators', {
    timeout: TYPE_CHECK_TIMEOUT_MS,
  }, () => {
    typeCheck(
      [project.write('types/commonjs.ts', USE)],
      ...['--module', 'commonjs', '--moduleResolution', 'node10', '--ignoreDeprecations', '6.0'],
      ...['--experimentalDecorators', '--emitDecoratorMetadata'],
    )
  })
})

describe('a CommonJS program', () => {
  it('requires every entry point, and gets what an import gets', () => {
    project.write(
      'main.cjs',
      `
      const doors = ['cachewright', ...['redis', 'ioredis', 'memory', 'null', 'testing'].map((door) => 'cachewright/' + door)]
      const same = async (door) => {
        const [required, imported] = [require(door), await import(door)]
        return Object.keys(imported).every((name) => name in required && required[name] === imported[name])
      }
      Promise.all(doors.map(same)).then((all) => console.log(all.join(' ')))
    `,
    )
    assert.equal(project.runFile('main.cjs'), 'true true true true true true')
  })
})
