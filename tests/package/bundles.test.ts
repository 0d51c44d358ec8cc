import assert from 'node:assert/strict'
import { join } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import * as esbuild from 'esbuild'
import { rollup } from 'rollup'
import { describe, it } from 'vitest'
import webpack from 'webpack'
import { usePackedProject } from './packed-project.ts'

const TIMEOUT_MS = 180_000

const project = usePackedProject()

/** A server whose cache is in memory, and one whose cache would be in Redis. */
const MEMORY = `
  import { MemoryCacheBackend } from 'cachewright/memory'
  async function main() {
    const backend = new MemoryCacheBackend()
    await backend.initialize()
    await backend.set('a', 42)
    console.log(await backend.get('a'))
    await new MemoryCacheBackend({ serializer: 'msgpack' }).initialize().catch((error) => console.log(error.code))
    await new MemoryCacheBackend({ compression: 'lz4' }).initialize().catch((error) => console.log(error.code))
    await backend.shutdown()
  }
  main()
`
const SERVER = `
  import { createCache } from 'cachewright'
  import { RedisCacheBackend } from 'cachewright/redis'
  async function main() {
    const cache = createCache({})
    console.log(await cache.getOrSet('a', async () => 42), typeof new RedisCacheBackend().get)
    await cache.shutdown()
  }
  main()
`

/** Each bundles a file of the project to another, and fails where the bundler reports an error. */
const BUNDLERS: readonly (readonly [string, (entry: string, output: string) => Promise<void>])[] = [
  ['esbuild', bundleWithEsbuild],
  ['webpack', bundleWithWebpack],
  ['rollup', bundleWithRollup],
]

async function bundleWithEsbuild(entry: string, output: string): Promise<void> {
  const { warnings } = await esbuild.build({
    entryPoints: [entry],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
  })
  assert.deepEqual(warnings, [])
}

function bundleWithWebpack(entry: string, output: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const to = { path: project.folder, filename: output.slice(project.folder.length + 1) }
    webpack(
      { mode: 'none', target: 'node20', context: project.folder, entry, output: to },
      (error, stats) => {
        const errors = stats?.toJson({ all: false, errors: true }).errors ?? []
        if (error !== null || errors.length > 0)
          reject(error ?? new Error(errors.map((one) => one.message).join('\n')))
        else resolve()
      },
    )
  })
}

async function bundleWithRollup(entry: string, output: string): Promise<void> {
  const bundle = await rollup({
    input: entry,
    plugins: [nodeResolve({ preferBuiltins: true })],
    // A CommonJS package, which rollup alone cannot read.
    external: ['@redis/client'],
    onwarn: () => {},
  })
  await bundle.write({ file: output, format: 'cjs', inlineDynamicImports: true })
  await bundle.close()
}

describe.each(BUNDLERS)('with %s, without any optional peer installed,', (name, bundle) => {
  it('a program that caches in memory builds and runs', { timeout: TIMEOUT_MS }, async () => {
    await bundle(project.write('memory.js', MEMORY), join(project.folder, `${name}-memory.cjs`))
    assert.equal(project.runFile(`${name}-memory.cjs`), '42\nCACHE_MISSING_PEER\nCACHE_MISSING_PEER')
  })

  it('a program that caches in Redis builds and runs', { timeout: TIMEOUT_MS }, async () => {
    await bundle(project.write('server.js', SERVER), join(project.folder, `${name}-server.cjs`))
    assert.equal(project.runFile(`${name}-server.cjs`), '42 function')
  })
})
