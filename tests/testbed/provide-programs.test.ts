import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { findRedisServer, requireRedisServer } from '../../testbed/find-redis-server.ts'

describe('the Redis programs', () => {
  test('are found, or an error says what to install', () => {
    expect(findRedisServer()).toMatch(/(redis|valkey)-server$/)
    vi.stubEnv('CACHEWRIGHT_REDIS_SERVER', '/nowhere/redis-server')
    expect(requireRedisServer).toThrow(
      /nowhere[\s\S]*apt-get install redis-server[\s\S]*dnf[\s\S]*apk[\s\S]*brew/,
    )
  })

  test('are installed by the package manager if they are missing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cachewright-provide-'))
    const provide = (path: string) =>
      spawnSync(process.execPath, ['testbed/provide-programs.mjs'], {
        env: { PATH: path },
        encoding: 'utf8',
      })
    const program = (name: string, script: string): void => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder, name), 0o755)
    }
    try {
      expect(provide(process.env.PATH ?? '')).toMatchObject({ status: 0, stdout: '', stderr: '' })
      const unable = provide(folder)
      expect(unable.status).toBe(1)
      expect(unable.stderr).toContain('brew install redis')

      program('sudo', 'shift; exec "$@"')
      program('env', 'shift; exec "$@"')
      const install = ['redis-server', 'python3'].map(
        (name) => `echo '#!' > ${folder}/${name}; chmod +x ${folder}/${name}`,
      )
      program(
        'apt-get',
        `PATH=/usr/bin:/bin; case "$*" in *install*) ${install.join('; ')};; *) exit 100;; esac`,
      )
      const provided = provide(folder)
      expect(provided.stdout).toMatch(
        /apt-get update\n.*apt-get .*install -y --no-install-recommends redis-server python3\n/,
      )
      expect(provided.status).toBe(0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
