import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from './build.ts'

const LIBRARY = new URL('../../dist', import.meta.url).href
const SPEAKS_WITHIN_MS = 15_000
/** ioredis itself waits two seconds for a silent server to hang up. An idle socket or a ping timer would hold on longer. */
const EXITS_WITHIN_MS = 4_000

/** A process, and its messages that have not been read yet. */
interface ExitingChild {
  readonly process: ChildProcess
  readonly said: unknown[]
}

/** Children that use the built package, shut it down, and must then end by themselves. */
export interface ExitingChildren {
  /** Starts one, which does what its first message says. */
  start(message: object): ExitingChild
  /** The child's next message. @throws Error if none arrives in time */
  messageOf(child: ExitingChild): Promise<unknown>
  /** Resolves once the child has shut down and has ended. */
  expectToExit(child: ExitingChild): Promise<void>
}

/** Has the package built, and kills after each test the children that are left. */
export function useExitingChildren(
  script: 'backend-child.mjs' | 'cache-child.mjs',
  shutdownWithinMs: number,
): ExitingChildren {
  const children: ChildProcess[] = []
  useBuild('package')
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  return {
    start(message) {
      const child = fork(fileURLToPath(new URL(`children/${script}`, import.meta.url)), { execArgv: [] })
      const said: unknown[] = []
      child.on('message', (what) => said.push(what))
      children.push(child)
      child.send({ library: LIBRARY, ...message })
      return { process: child, said }
    },
    messageOf,
    async expectToExit(child) {
      const { shutdownMs } = (await messageOf(child)) as { shutdownMs: number }
      expect(shutdownMs).toBeLessThan(shutdownWithinMs)
      await waitUntil(() => hasEnded(child.process), {
        what: 'the process to exit by itself',
        timeoutMs: EXITS_WITHIN_MS,
      })
      expect([child.process.exitCode, child.process.signalCode]).toEqual([0, null])
    },
  }
}

async function messageOf({ process, said }: ExitingChild): Promise<unknown> {
  await waitUntil(() => said.length > 0 || hasEnded(process), {
    what: 'the child to say something',
    timeoutMs: SPEAKS_WITHIN_MS,
  })
  if (said.length === 0) throw new Error(`The child has ended (${process.signalCode ?? process.exitCode})`)
  return said.shift()
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null
