import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ROOT, usePackedProject } from './packed-project.ts'

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly publishConfig?: { readonly provenance?: boolean }
}

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
}

/** Scripts that npm runs when a package is installed from the registry. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

const project = usePackedProject()

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** The packages in the project's `node_modules`. */
function installed(): readonly string[] {
  const { packages } = JSON.parse(
    readFileSync(join(project.folder, 'node_modules/.package-lock.json'), 'utf8'),
  ) as { readonly packages: Readonly<Record<string, unknown>> }
  return Object.keys(packages).map((path) => path.replace('node_modules/', ''))
}

describe('what users install', () => {
  test('is three packages, and none runs a script when it is installed', () => {
    expect(installed().toSorted()).toEqual(['@redis/client', 'cachewright', 'lru-cache'])
    for (const name of installed()) {
      const folder = join(project.folder, 'node_modules', name)
      const { scripts = {} } = manifestIn(folder)
      expect(Object.keys(scripts).filter((script) => INSTALL_SCRIPTS.includes(script))).toEqual([])
      expect(readdirSync(folder)).not.toContain('binding.gyp')
    }
  })

  test('has no known advisory, if the registry answers', { timeout: 120_000 }, async () => {
    const audit = await promisify(execFile)('npm', ['audit', '--omit=dev', '--json'], {
      cwd: project.folder,
    }).catch((failure: { readonly stdout: string }) => failure)
    const { error, vulnerabilities } = JSON.parse(audit.stdout || '{"error":"no answer"}') as {
      readonly error?: unknown
      readonly vulnerabilities?: Readonly<Record<string, unknown>>
    }
    if (vulnerabilities === undefined) console.warn('The registry was not asked for advisories:', error)
    else expect(vulnerabilities).toEqual({})
  })

  test('admits no msgpackr that dies of hostile payloads', () => {
    expect(manifestIn(ROOT).peerDependencies?.msgpackr).toBe('^2.1.2')
  })
})

describe('how it is published', () => {
  test('every locked package has a checksum', () => {
    for (const file of ['package-lock.json', 'bench/package-lock.json', 'runtimes/package-lock.json']) {
      const { packages } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as {
        readonly packages: Readonly<Record<string, LockedPackage>>
      }
      const open = Object.entries(packages).filter(
        // The project itself has no checksum; the bench installs it from its folder.
        ([path, { integrity, link }]) => path !== '' && path !== '..' && !link && integrity === undefined,
      )
      expect(open.map(([path]) => path)).toEqual([])
    }
  })

  test('with provenance, by a workflow whose actions are named by commit', () => {
    expect(manifestIn(ROOT).publishConfig?.provenance).toBe(true)
    const workflow = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8')
    const actions = [...workflow.matchAll(/uses: (\S+)/g)].map(([, action]) => action)
    expect(actions.length).toBeGreaterThan(0)
    for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
    expect(workflow).not.toContain('secrets.')
  })
})
