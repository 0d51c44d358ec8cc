// Installs the contenders where they are missing or another lock file asks for others: `node bench/prepare.mjs`.
import { fileURLToPath } from 'node:url'
import { installLocked } from '../tools/install-locked.mjs'

if (!installLocked(fileURLToPath(new URL('.', import.meta.url)))) process.exitCode = 1
