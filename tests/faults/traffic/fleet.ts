import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type AnsweringChild, forkAnswering } from '../../support/child-calls.ts'
import type { WorkerOrder } from './setting.ts'
import type { Census, WorkerReport } from './worker.ts'

const PROGRAM = fileURLToPath(new URL('worker.js', import.meta.url))

/** The processes of a trial. */
export class Fleet {
  readonly #children: readonly AnsweringChild[]
  readonly #stopped = new Set<AnsweringChild>()

  constructor(processes: number) {
    this.#children = Array.from({ length: processes }, () => forkAnswering(PROGRAM, ['--expose-gc']))
  }

  async start(order: Omit<WorkerOrder, 'place' | 'processes'>): Promise<void> {
    const processes = this.#children.length
    await Promise.all(
      this.#children.map((child, place) => child.call('start', { ...order, place, processes })),
    )
  }

  /** Of the processes that run, what has happened since they were last asked. */
  reports(): Promise<WorkerReport[]> {
    const running = this.#children.filter((child) => !this.#stopped.has(child))
    return Promise.all(running.map((child): Promise<WorkerReport> => child.call('report')))
  }

  /** What each process holds. */
  censuses(): Promise<Census[]> {
    return this.#all('census')
  }

  /** Ends the traffic. Resolves with how many calls were still under way after the bound. */
  async stopTraffic(boundMs: number): Promise<number> {
    const unsettled = await this.#all<number>('stop', boundMs)
    return unsettled.reduce((sum, each) => sum + each, 0)
  }

  /** By mode, the keys of which some process still has an older value, past its local tier or through it. */
  outdated(): Promise<Record<string, string[]>[]> {
    return this.#all('outdated')
  }

  /** Has a name resolve to this address from now on, in every process. */
  async resolve(name: string, address: string): Promise<void> {
    await this.#all('resolve', [name, address])
  }

  /** The same in the first process alone. */
  async resolveInOne(name: string, address: string): Promise<void> {
    await this.#first.call('resolve', [name, address])
  }

  /** Blocks the event loop of every process. */
  async stall(ms: number): Promise<void> {
    await this.#all('stall', ms)
  }

  /** Sets the system clock of the first process off by this much. */
  async setClock(byMs: number): Promise<void> {
    await this.#first.call('setClock', byMs)
  }

  /** Stops the first process (SIGSTOP), until the answer is called. */
  freezeOne(): () => void {
    const child = this.#first
    this.#stopped.add(child)
    child.process.kill('SIGSTOP')
    return () => {
      this.#stopped.delete(child)
      child.process.kill('SIGCONT')
    }
  }

  /** Closes the caches. Resolves when every process has ended by itself. */
  async end(): Promise<void> {
    const ended = this.#children.map(({ process }) => once(process, 'exit'))
    await this.#all('end')
    await Promise.all(ended)
  }

  /** For the case that something has failed. */
  kill(): void {
    for (const { process } of this.#children) process.kill('SIGKILL')
  }

  get #first(): AnsweringChild {
    return this.#children[0] as AnsweringChild
  }

  #all<T>(method: string, argument?: unknown): Promise<T[]> {
    return Promise.all(this.#children.map((child): Promise<T> => child.call(method, argument)))
  }
}
