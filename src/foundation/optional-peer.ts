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
