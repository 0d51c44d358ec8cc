import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { useBuild } from '../support/build.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The package as npm would publish it, installed in a project that has nothing else. */
export interface PackedProject {
  /** The folder of the project, whose `package.json` says that it consists of ES modules. */
  readonly folder: string
  readonly tarball: string
  /** Writes a file of the project and returns its path. */
  write(name: string, text: string): string
  /** Runs a file of the project with Node and returns what it prints. */
  runFile(name: string): string
}

/** The project of the tests of this file. */
export function usePackedProject(): PackedProject {
  useBuild('package')
  let folder = ''
  let tarball = ''

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cachewright-package-'))
    const packed = run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], ROOT)
    tarball = join(folder, packed.trim().split('\n').at(-1) as string)
    writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}')
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', tarball], folder)
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  return {
    get folder() {
      return folder
    },
    get tarball() {
      return tarball
    },
    write(name, text) {
      const path = join(folder, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      return path
    },
    runFile: (name) => run(process.execPath, [name], folder).trim(),
  }
}

/** Runs a program and returns what it prints. */
export function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
