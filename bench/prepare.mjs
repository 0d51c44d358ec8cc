// Installs the contenders where they are missing or another lock file asks for others: `node bench/prepare.mjs`.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const directory = dirname(fileURLToPath(import.meta.url))
const stamp = join(directory, 'node_modules', '.installed-lock')
const lock = createHash('sha256')
  .update(readFileSync(join(directory, 'package-lock.json')))
  .digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: directory,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(1)
  writeFileSync(stamp, lock)
}
