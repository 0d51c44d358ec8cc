import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles a program for all runtimes, as docs/installing.md says, and resolves to the path of the bundle. */
export async function bundleOf(program: string): Promise<string> {
  const outfile = fileURLToPath(new URL('./bundles/bundled.cjs', import.meta.url))
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['lz4-napi', 'snappy'],
    // It warns that `import.meta` is empty in CommonJS, unless the library lies in node_modules.
    logLevel: 'error',
  })
  return outfile
}
