import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { ROOT, run, usePackedProject } from './packed-project.ts'

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
}
const doors = Object.keys(manifest.exports).filter((door) => door !== './package.json')

const project = usePackedProject()

/** Runs a module in the project and returns what it prints. */
function runModule(source: string): string {
  project.write('main.js', source)
  return project.runFile('main.js')
}

describe('the package', () => {
  it('exports exactly the public names from its entry points', () => {
    const names = runModule(`
      const doors = ${JSON.stringify(doors)}
      const names = []
      for (const door of doors) names.push(...Object.keys(await import(door.replace('.', 'cachewright'))))
      console.log(names.sort().join(' '))
    `)
    assert.equal(
      names,
      'CacheError Faults IoredisCacheBackend ManualClock MemoryCacheBackend NullCacheBackend PartialLoadError RedisCacheBackend SchemaMismatchError SimulatedRedis cached createCache describeCacheBackend escapeGlob glob injectFaults',
    )
  })

  it('works in memory in a fresh project, and the process exits by itself', () => {
    const printed = runModule(`
      import { MemoryCacheBackend } from 'cachewright/memory'
      const backend = new MemoryCacheBackend()
      await backend.initialize()
      await backend.set('user:1', { name: 'Ada' }, '5m')
      console.log(JSON.stringify(await backend.get('user:1')))
      await backend.shutdown()
    `)
    assert.equal(printed, '{"name":"Ada"}')
  })

  it('does not load a client from entry points that need none', () => {
    const loaded = runModule(`
      import { createRequire } from 'node:module'
      for (const door of ['cachewright/memory', 'cachewright/null', 'cachewright/ioredis', 'cachewright/testing']) {
        await import(door)
      }
      console.log(Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('@redis')).length)
    `)
    assert.equal(loaded, '0')
  })

  it.each([
    ['serializer', 'msgpack', 'msgpackr'],
    ['compression', 'lz4', 'lz4-napi'],
    ['compression', 'snappy', 'snappy'],
  ])(
    'refuses %s %s at construction if its peer is missing, and tells what to install',
    (option, name, peer) => {
      const printed = runModule(`
      import { createCache } from 'cachewright'
      import { MemoryCacheBackend } from 'cachewright/memory'
      const options = { ${option}: '${name}' }
      for (const make of [() => createCache(options), () => new MemoryCacheBackend(options)]) {
        try {
          make()
          console.log('it was accepted')
        } catch (error) {
          console.log(error.code, error.message)
        }
      }
    `)
      const refusals = printed.split('\n')
      assert.equal(refusals.length, 2)
      for (const refusal of refusals) {
        assert.match(refusal, new RegExp(`^CACHE_MISSING_PEER .*npm install ${peer}$`))
      }
    },
  )

  it('depends only on @redis/client and lru-cache', () => {
    assert.deepEqual(Object.keys(manifest.dependencies), ['@redis/client', 'lru-cache'])
  })

  it('ships no tests, sources or development scripts', () => {
    const files = run('tar', ['tzf', project.tarball], project.folder).trim().split('\n')
    const strange = files.filter(
      (file) =>
        !/^package\/(dist\/.*\.(c?js|d\.c?ts)|docs\/.*\.md|package\.json|[A-Z]+\.md|LICENSE)$/.test(file),
    )
    assert.deepEqual(strange, [])
  })

  it('passes publint', () => {
    run('npx', ['publint', '--strict', project.tarball], ROOT)
  })

  it('has types that every way to resolve modules finds', () => {
    run('npx', ['attw', '--profile', 'strict', project.tarball], ROOT)
  }, 90_000)
})
