import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const HOW_TO_INSTALL = `The tests, the demo and the benchmark run against a real Redis (or Valkey) server. Install one:
  Debian, Ubuntu:  sudo apt-get install redis-server
  Fedora:          sudo dnf install redis     (or: valkey)
  Alpine:          sudo apk add redis         (or: valkey)
  macOS:           brew install redis         (or: valkey)
or name the program in CACHEWRIGHT_REDIS_SERVER. It need not run as a service: they start their own.`

/**
 * The path of `redis-server` (else `valkey-server`): the one `CACHEWRIGHT_REDIS_SERVER` names, or the first on
 * the `PATH`. `undefined` where there is none.
 */
export function findRedisServer(): string | undefined {
  const named = process.env.CACHEWRIGHT_REDIS_SERVER
  if (named) return isProgram(named) ? named : undefined
  return findProgram(['redis-server', 'valkey-server'], pathFolders())
}

/** {@link findRedisServer}. @throws Error that tells what to install on each system */
export function requireRedisServer(): string {
  const found = findRedisServer()
  if (found !== undefined) return found
  const named = process.env.CACHEWRIGHT_REDIS_SERVER
  const where = named ? `at CACHEWRIGHT_REDIS_SERVER=${named}` : 'on the PATH'
  throw new Error(`There is no redis-server ${where}.\n${HOW_TO_INSTALL}`)
}

function pathFolders(): string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
}

function findProgram(names: readonly string[], folders: readonly string[]): string | undefined {
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
