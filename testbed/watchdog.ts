import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

// Each line names the process to end, an empty one that there is none. The end of the input is the end of the
// parent, however it came about: only then does the loop finish and the clearing up begin.
const SCRIPT = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; rm -rf "$1"'

// A test runner that is interrupted leaves its forked workers to finish their test, with nobody to report to. They
// notice by the channel to it. The listener holds that channel, and so its process, only while a watch lasts.
const watches = new Set<Watchdog>()
const endWatches = (): void => {
  for (const watch of watches) void watch.end()
}

/**
 * A small shell that outlives this process just long enough to clear up after it.
 *
 * It holds the far end of a pipe which the kernel closes when this process ends: by itself, by a signal, by a
 * crash or by `kill -9`, in a worker thread or not; a forked process closes it, too, when the one that forked it is
 * gone. The shell then kills the guarded process and removes the directory. This needs no `exit` or signal handler,
 * so a test run keeps its own.
 */
export class Watchdog {
  readonly #shell: ChildProcess
  readonly #pipe: Socket

  /** @param directory - removed with all it holds when the watch ends */
  constructor(directory: string) {
    // A session of its own, so that a Ctrl-C in the terminal does not end the watchdog before its parent.
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'redis-testbed-watchdog', directory], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#shell.unref()
    this.#pipe = this.#shell.stdin as Socket
    this.#pipe.unref()
    this.#pipe.on('error', () => {}) // a watchdog killed from outside must not take the test run with it
    if (watches.size === 0) process.once('disconnect', endWatches)
    watches.add(this)
  }

  /** The process to kill when this one ends; `undefined` once it is gone and its id may be given to another. */
  guard(pid: number | undefined): void {
    this.#pipe.write(`${pid ?? ''}\n`)
  }

  /** Ends the watch as the end of this process would, and resolves when all is cleared up. */
  async end(): Promise<void> {
    watches.delete(this)
    if (watches.size === 0) process.off('disconnect', endWatches)
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return
    this.#shell.ref()
    const gone = new Promise((resolve) => this.#shell.once('exit', resolve))
    this.#pipe.end()
    await gone
  }
}
