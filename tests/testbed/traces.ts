import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { RedisProcess } from '../../testbed/redis-process.ts'

/** Asks what is left of these servers: their processes, others that name them (their watchdogs), directories. */
export function tracesOf(servers: readonly Pick<RedisProcess, 'pid' | 'directory'>[]): () => string[] {
  const known = servers.map(({ pid, directory }) => ({ pid, directory }))
  return () => {
    const running = commandLines()
    return known.flatMap(({ pid, directory }) => [
      ...running.filter((line) => line.startsWith(`${pid} `) || line.includes(directory)),
      ...(existsSync(directory) ? [directory] : []),
    ])
  }
}

/** `pid command line` of every process. A zombie is none: dead, it waits only for the system to take note. */
function commandLines(): string[] {
  if (!existsSync('/proc/self/cmdline')) {
    const lines = execFileSync('ps', ['-axo', 'pid=,stat=,command='], { encoding: 'utf8' }).split('\n')
    return lines.map((line) => line.trim()).filter((line) => !/^\d+ +Z/.test(line))
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') // empty for a zombie
      return command === '' ? [] : [`${pid} ${command}`]
    } catch {
      return [] // it ended meanwhile
    }
  })
}
