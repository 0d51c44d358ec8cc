import { createRequire } from 'node:module'
import { CacheError } from './cache-error.ts'

/**
 * What to throw if an optional peer cannot be loaded: `CACHE_MISSING_PEER`, with the command that installs it.
 *
 * A peer is loaded by `import('name')` with a literal name, directly within a `try` that has a `catch`. Only then does a
 * bundler include a peer that is installed, and build without one that is not. A peer with native code, which no bundler
 * can include, also bears `webpackIgnore`: it is imported when the bundle runs.
 */
export function missingPeer(name: string, purpose: string, cause: unknown): CacheError {
  return new CacheError('CACHE_MISSING_PEER', `${purpose} needs the package ${name}: npm install ${name}`, {
    cause,
  })
}

/**
 * Whether a bundler has put this module into another file. What it bundled with it cannot be looked for in
 * `node_modules` then. Webpack keeps the original URL, and is known by `import.meta.webpack`.
 */
const IS_BUNDLED =
  'webpack' in import.meta || !/\/foundation\/errors\/optional-peer\.[jt]s$/.test(String(import.meta.url))

/**
 * Refuses an optional peer dependency that is surely not installed, so that a configuration that needs it fails where
 * it is made. In a bundle nothing is sure, and the failure comes with `initialize()`.
 * @throws CacheError `CACHE_MISSING_PEER` with the command that installs it
 */
export function assertPeerInstalled(name: string, purpose: string): void {
  if (IS_BUNDLED) return
  try {
    createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    // Any other failure, for example that the package offers no CommonJS, means that it is there.
    if ((cause as { readonly code?: unknown }).code === 'MODULE_NOT_FOUND')
      throw missingPeer(name, purpose, cause)
  }
}
