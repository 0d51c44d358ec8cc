import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { useBuild } from './build.ts'

const ROOT = new URL('../..', import.meta.url)
const LIBRARY = new URL('dist', ROOT).href
/** A script that idle sockets keep alive would never end. */
const ENDS_WITHIN_MS = 60_000

/**
 * Has the package built, and returns a function that runs a script as a process of its own, until that ends by itself.
 * It resolves to what the script has printed, and rejects unless the process ends with code 0.
 */
export function useScripts(): (script: string) => Promise<string> {
  useBuild('package')
  return async (script) => {
    const code = script.replaceAll(
      "from 'cachewright/redis'",
      `from '${LIBRARY}/redis/redis-cache-backend.js'`,
    )
    const args = [
      '--input-type=module',
      '-e',
      code.replaceAll("from 'cachewright'", `from '${LIBRARY}/index.js'`),
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: ROOT,
      timeout: ENDS_WITHIN_MS,
    })
    return stdout.trim()
  }
}
