import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Installs what the lock file of a folder names, unless that is installed already. A folder counts as installed once
 * `isWhole` says so; until then it is tried again.
 * @returns {boolean} whether all of it is installed
 */
export function installLocked(directory, isWhole = () => true) {
  const stamp = join(directory, 'node_modules', '.installed-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(directory, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return true

  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: directory,
    stdio: 'inherit',
  })
  if (status !== 0 || !isWhole()) return false
  writeFileSync(stamp, lock)
  return true
}
