import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { useBuild } from '../support/build.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
}
const doors = Object.keys(manifest.exports).filter((door) => door !== './package.json')

useBuild('package')

let project: string
let tarball: string

/** The package as npm would publish it, installed in a project that has nothing else. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'cachewright-package-'))
  const packed = run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', project], root)
  tarball = join(project, packed.trim().split('\n').at(-1) as string)
  writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}')
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
}, 120_000)

afterAll(() => rmSync(project, { recursive: true, force: true }))

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a module in the project and returns what it prints. */
function runModule(source: string): string {
  writeFileSync(join(project, 'main.js'), source)
  return run(process.execPath, ['main.js'], project).trim()
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
    const files = run('tar', ['tzf', tarball], project).trim().split('\n')
    const strange = files.filter(
      (file) =>
        !/^package\/(dist\/.*\.(js|d\.ts)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(file),
    )
    assert.deepEqual(strange, [])
  })

  it('passes publint', () => {
    run('npx', ['publint', '--strict', tarball], root)
  })

  it('has types that resolve for every ES module consumer', () => {
    run('npx', ['attw', '--profile', 'esm-only', tarball], root)
  })
})
