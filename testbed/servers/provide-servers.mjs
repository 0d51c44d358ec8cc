// Provides other Redis and Valkey servers than the one that the machine has. Debian's newer suites carry them: their
// packages, and the libraries that they need, are unpacked into a folder of the build; nothing is installed over the
// system, and no root is needed. Plain JavaScript on Node alone.

import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const runFile = promisify(execFile)

const FOLDER = fileURLToPath(new URL('../../build/servers/', import.meta.url))
const SOURCES = '/etc/apt'

/**
 * What can be provided. `program` is what the package's server is called with: one file is server, sentinel and tools,
 * and its name decides what it does. CI runs the tests on those with `inCi`.
 */
export const SERVERS = [
  { name: 'redis-8', suite: 'trixie', packageName: 'redis-tools', program: 'redis-server', inCi: false },
  { name: 'valkey-8', suite: 'trixie', packageName: 'valkey-tools', program: 'valkey-server', inCi: false },
  { name: 'valkey-9', suite: 'sid', packageName: 'valkey-tools', program: 'valkey-server', inCi: true },
]

/**
 * The program of a server, which is downloaded unless that was done before, and its version. It is named to the tests
 * by `CACHEWRIGHT_REDIS_SERVER`.
 *
 * @throws Error that says why the server cannot be had here
 */
export async function provideServer({ name, suite, packageName, program }) {
  const folder = join(FOLDER, name)
  const wrapper = join(folder, program)
  if (!existsSync(wrapper)) {
    rmSync(folder, { recursive: true, force: true })
    await unpack(packageName, suite, folder)
    writeWrapper(wrapper, join(folder, 'root'), program)
  }
  return { path: wrapper, version: await versionOf(wrapper) }
}

/** Downloads the package with the libraries that it needs, and unpacks all into `folder`/root. */
async function unpack(packageName, suite, folder) {
  const apt = aptFor(suite, join(folder, 'apt'))
  await apt('apt-get', 'update', '-qq')
  const packages = await withLibraries(packageName, apt)
  const downloads = join(folder, 'packages')
  const root = join(folder, 'root')
  mkdirSync(downloads, { recursive: true })
  mkdirSync(root)
  await apt('apt-get', { cwd: downloads }, 'download', '-qq', ...packages)
  for (const file of readdirSync(downloads)) await run('dpkg', ['-x', join(downloads, file), root])
  for (const used of [downloads, join(folder, 'apt')]) rmSync(used, { recursive: true })
}

/** Runs apt with lists of its own, of one suite of the archive that this machine uses. */
function aptFor(suite, folder) {
  const lists = join(folder, 'lists')
  const parts = join(folder, 'parts')
  const cache = join(folder, 'cache')
  for (const made of [join(lists, 'partial'), parts, join(cache, 'archives', 'partial')])
    mkdirSync(made, { recursive: true })
  writeFileSync(join(parts, 'suite.sources'), sourceOf(suite))
  const options = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': parts,
    'Dir::State::Lists': lists,
    'Dir::State::Status': '/dev/null',
    'Dir::Cache': cache,
    'Acquire::Languages': 'none',
  }
  const flags = Object.entries(options).flatMap(([option, value]) => ['-o', `${option}=${value}`])
  return (program, ...args) => {
    const how = typeof args[0] === 'object' ? args.shift() : {}
    return run(program, [...flags, ...args], how)
  }
}

/** The machine's own entry of Debian's main archive, with another suite. */
function sourceOf(suite) {
  const entry = existsSync(SOURCES) ? debianEntry() : undefined
  if (entry === undefined) throw new Error('this machine does not use Debian’s archive')
  const fields = { Types: 'deb', ...entry, Suites: suite, Components: 'main' }
  return `${Object.entries(fields)
    .map(([field, value]) => `${field}: ${value}`)
    .join('\n')}\n`
}

/** Where the archive is, and the key that signs it. */
function debianEntry() {
  const folder = join(SOURCES, 'sources.list.d')
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.sources')) : []
  for (const paragraph of files.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8').split(/\n\s*\n/),
  )) {
    const fieldOf = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(paragraph)?.[1]?.trim()
    const address = fieldOf('URIs')
    const signedBy = fieldOf('Signed-By')
    if (address?.endsWith('/debian') || address?.endsWith('/debian/'))
      return { URIs: address, ...(signedBy !== undefined && { 'Signed-By': signedBy }) }
  }
  const list = join(SOURCES, 'sources.list')
  const line = existsSync(list) ? readFileSync(list, 'utf8') : ''
  const address = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+\/debian)\/?\s/m.exec(line)?.[1]
  return address === undefined ? undefined : { URIs: address }
}

/** The package and every library that it depends on, directly or through other libraries. */
async function withLibraries(packageName, apt) {
  const found = new Set([packageName])
  for (let newest = [packageName]; newest.length > 0; ) {
    const listing = await apt('apt-cache', 'depends', '--important', ...newest)
    newest = [...listing.matchAll(/^\s+\|?Depends: (lib[^\s<:]+)/gm)].flatMap(([, name]) =>
      name === undefined || found.has(name) ? [] : [name],
    )
    for (const name of newest) found.add(name)
  }
  return [...found]
}

/** A script that runs the program with the libraries and the loader that came along. */
function writeWrapper(wrapper, root, program) {
  const loader = find(root, /^ld-linux.*\.so\.\d+$/)
  const binary = find(root, new RegExp(`^${program.replace('server', 'check-rdb')}$`))
  const libraries = [...new Set(filesOf(root, /\.so(\.\d+)*$/).map((file) => resolve(file, '..')))]
  const words = [loader, '--argv0', program, '--library-path', libraries.join(':'), binary]
  writeFileSync(wrapper, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`)
  chmodSync(wrapper, 0o755)
}

async function versionOf(program) {
  const { v } = /\bv=(?<v>[\d.]+)/.exec(await run(program, ['--version']))?.groups ?? {}
  if (v === undefined) throw new Error(`${program} does not tell its version`)
  return v
}

function find(root, name) {
  const [file] = filesOf(root, name)
  if (file === undefined) throw new Error(`the packages hold no file ${name}`)
  return file
}

function filesOf(root, name) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What the program prints. @throws Error that holds what it printed when it failed, or could not be run */
async function run(program, args, how = {}) {
  try {
    return (await runFile(program, args, how)).stdout
  } catch (error) {
    const why = error.stderr?.trim().split('\n').slice(0, 3).join(' ') || error.message
    throw new Error(`${program} failed: ${why}`, { cause: error })
  }
}
