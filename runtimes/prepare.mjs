// Installs the runtimes that are checked: `node runtimes/prepare.mjs`. It says which ones cannot be had here and succeeds
// all the same, as on another system than Linux on x64, or without a registry.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installLocked } from '../tools/install-locked.mjs'

const directory = fileURLToPath(new URL('.', import.meta.url))
const { optionalDependencies } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
const missing = () =>
  Object.keys(optionalDependencies).filter(
    (name) => !existsSync(`${directory}/node_modules/${name}/package.json`),
  )

if (!installLocked(directory, () => missing().length === 0))
  console.log(`Not installed: ${missing().join(' ')}`)
