import { CacheError } from './cache-error.ts'

/**
 * Loads an optional peer dependency.
 * @param load `() => import('name')`, with a literal name, so that bundlers see it
 * @throws CacheError `CACHE_MISSING_PEER` with the command that installs it
 */
export async function loadPeer<Module>(
  name: string,
  purpose: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw missingPeer(name, purpose, cause)
  }
}

/** The error of a peer that is not installed. */
export function missingPeer(name: string, purpose: string, cause: unknown): CacheError {
  return new CacheError('CACHE_MISSING_PEER', `${purpose} needs the package ${name}: npm install ${name}`, {
    cause,
  })
}
