import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Job, Message, Order, Outcome } from './job.ts'

/** The script of a worker, as it is emitted beside this one. */
const SCRIPT = fileURLToPath(new URL('./worker.js', import.meta.url))
/** Whatever a worker does, it answers within this time. */
const LONGEST_MS = 180_000

/** Worker processes that do their turns at the same time. They end with {@link Fleet.end}, and with this process. */
export class Fleet {
  readonly #workers: readonly ChildProcess[]

  private constructor(workers: readonly ChildProcess[]) {
    this.#workers = workers
  }

  /** Resolves when all are ready. */
  static async start(jobs: readonly Job[]): Promise<Fleet> {
    const workers = jobs.map((job) =>
      fork(SCRIPT, [JSON.stringify(job)], {
        execArgv: ['--expose-gc'],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    )
    const fleet = new Fleet(workers)
    try {
      await Promise.all(workers.map((worker) => heard(worker)))
      return fleet
    } catch (error) {
      await fleet.end()
      throw error
    }
  }

  /** A turn of all of them. @param ms how long it lasts, where their job has no end of its own */
  turn(ms: number): Promise<readonly Outcome[]> {
    return Promise.all(
      this.#workers.map(async (worker) => {
        const answer = heard(worker)
        tell(worker, { order: 'turn', ms })
        const message = await answer
        return message.state === 'done' ? message.outcome : {}
      }),
    )
  }

  /** Ends a turn that has no end of its own. */
  finish(): void {
    for (const worker of this.#workers) tell(worker, { order: 'finish' })
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return
        const exited = once(worker, 'exit')
        worker.kill('SIGKILL')
        await exited
      }),
    )
  }
}

function tell(worker: ChildProcess, order: Order): void {
  if (worker.connected) worker.send(order)
}

/** @throws Error where the worker fails, ends or says nothing for too long */
function heard(worker: ChildProcess): Promise<Exclude<Message, { readonly state: 'failed' }>> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void) => {
      clearTimeout(patience)
      worker.off('message', onMessage)
      worker.off('exit', onExit)
      settled()
    }
    const onMessage = (message: Message) =>
      settle(() =>
        message.state === 'failed'
          ? reject(new Error(`A worker failed: ${message.reason}`))
          : resolve(message),
      )
    const onExit = () => settle(() => reject(new Error('A worker ended before it answered')))
    const patience = setTimeout(
      () => settle(() => reject(new Error(`A worker was silent for ${LONGEST_MS} ms`))),
      LONGEST_MS,
    )
    worker.on('message', onMessage)
    worker.on('exit', onExit)
  })
}
