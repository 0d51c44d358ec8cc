import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { settings, type Way } from './settings.ts'

/** The other process, which runs {@link file://./peer.ts} on the same runtime. */
export interface Peer {
  /** Resolves when it has asked for its key. */
  readonly isReading: Promise<void>
  /** What it says when it has ended by itself. @throws Error if it fails */
  readonly ended: Promise<{ readonly value: unknown; readonly loads: number }>
}

export function runPeer(way: Way, read: string, removed: string): Peer {
  const program = fileURLToPath(new URL('./peer.js', import.meta.url))
  const args = [...settings.runtimeArgs, program, process.argv[2] as string, way, read, removed]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  const isReading = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      said += chunk
      if (said.includes('reading\n')) resolve()
    })
  })
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`The peer has ended with ${code}: ${said}`)
    return JSON.parse(said.trim().split('\n').at(-1) as string)
  })
  return { isReading, ended }
}
