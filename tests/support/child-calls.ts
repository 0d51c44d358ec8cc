import { type ChildProcess, fork } from 'node:child_process'

/** A child process that does what it is told, and answers. */
export interface AnsweringChild {
  readonly process: ChildProcess
  /** Resolves with what the child answers; rejects with the error of the child, and when it has ended. */
  call(method: string, argument?: unknown): Promise<never>
}

/** Forks the program, which has to answer `{ id, method, argument }` with `{ id, result }` or `{ id, error }`. */
export function forkAnswering(program: string, execArgv: readonly string[] = []): AnsweringChild {
  const child = fork(program, { execArgv: [...execArgv], serialization: 'advanced' })
  const calls = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>()
  let lastId = 0
  child.on('message', ({ id, result, error }: { id: number; result: never; error?: string }) => {
    const call = calls.get(id)
    calls.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(error))
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of calls.values()) reject(new Error(`The child has ended (${signal ?? code})`))
    calls.clear()
  })
  return {
    process: child,
    call: (method, argument) =>
      new Promise((resolve, reject) => {
        const id = ++lastId
        calls.set(id, { resolve, reject })
        child.send({ id, method, argument }, (error) => {
          if (error !== null) reject(error)
        })
      }),
  }
}
