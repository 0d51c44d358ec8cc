#!/usr/bin/env node
// Sees to it that what the tests run against is on this machine: redis-server (or valkey-server), and python3 for the
// pickles. Does nothing where they are; else installs them without asking, where it may (as root, by a sudo that wants
// no password, or by Homebrew). Plain JavaScript on Node alone, since it runs before anything is installed or compiled.
//
// Exit code: 0 when they are there, 1 when they are not, after saying what to install.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const HOW_TO_INSTALL = `The tests need redis-server (or valkey-server) and python3. Install them:
  Debian, Ubuntu:  sudo apt-get install redis-server python3
  Fedora:          sudo dnf install redis python3     (or: valkey)
  Alpine:          sudo apk add redis python3         (or: valkey)
  macOS:           brew install redis python          (or: valkey)
A server program elsewhere can be named in CACHEWRIGHT_REDIS_SERVER.`

const APT_INSTALL = 'env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y'

// Each step is tried in turn until the programs are there. A step that fails stops nothing: one broken package
// source fails an update that was good enough, and some systems have Valkey in the place of Redis.
const PACKAGE_MANAGERS = [
  {
    program: 'apt-get',
    asRoot: true,
    steps: ['apt-get update', `${APT_INSTALL} --no-install-recommends redis-server python3`],
  },
  { program: 'dnf', asRoot: true, steps: ['dnf install -y redis python3', 'dnf install -y valkey python3'] },
  { program: 'apk', asRoot: true, steps: ['apk add redis python3', 'apk add valkey python3'] },
  { program: 'brew', asRoot: false, steps: ['brew install redis python'] }, // refuses to run as root
]

const namedServer = process.env.CACHEWRIGHT_REDIS_SERVER

// A program named by hand is the user's to put right.
if (!isProvided() && !namedServer) install()
if (!isProvided()) {
  console.error(HOW_TO_INSTALL)
  process.exitCode = 1
}

function install() {
  const manager = PACKAGE_MANAGERS.find(({ program }) => isOnPath(program))
  if (manager === undefined) return
  const prefix = manager.asRoot ? rootPrefix() : []
  if (prefix === undefined) {
    console.error(
      `Not installing anything with ${manager.program}: that takes root, or a sudo without a password.`,
    )
    return
  }
  for (const step of manager.steps) {
    if (isProvided()) return
    console.log(`Providing what the tests need: ${[...prefix, step].join(' ')}`)
    const [program, ...args] = [...prefix, ...step.split(' ')]
    spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  }
}

/** What to put before a command so that root runs it; `undefined` where that cannot be had without asking. */
function rootPrefix() {
  if (process.getuid?.() === 0) return []
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

function isProvided() {
  const server = namedServer ? isProgram(namedServer) : isOnPath('redis-server', 'valkey-server')
  return server && isOnPath('python3')
}

function isOnPath(...names) {
  return pathFolders().some((folder) => isIn(folder, ...names))
}

function isIn(folder, ...names) {
  return names.some((name) => isProgram(join(folder, name)))
}

function pathFolders() {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
