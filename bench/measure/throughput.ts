import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import type { Kind } from '../contenders/contender.ts'
import { redisLoad } from './redis-load.ts'
import { interleave } from './rounds.ts'
import type { Measured, Row } from './section.ts'
import { median } from './statistics.ts'

/** One way to do the work whose speed is compared. */
export interface Task {
  readonly contender: string
  readonly kind: Kind
  /** One operation; `index` counts up, for choosing a key. Awaited unless `isSync`. */
  run(index: number): unknown
  /** Brings about what so many operations need, before their time is taken. */
  prepare?(operations: number): Promise<void>
}

/** How the speed of tasks is measured. */
export interface ThroughputOptions {
  readonly redis: Pick<Standalone, 'ask'>
  readonly rounds: number
  /** Operations under way at a time. */
  readonly inFlight: number
  /** How long the turn of a contender of middling speed takes at least. */
  readonly turnMs: number
  /** Operations make no promise. @default false */
  readonly isSync?: boolean
  /** Operations wait for nothing, so that the event loop has no turn of its own to be measured by. @default false */
  readonly isLocal?: boolean
}

/** The fastest contender's turn is not shorter than this part of `turnMs`: a moment would measure the clock. */
const FASTEST = 0.4
/** Whose turn would take longer than this many times `turnMs` does fewer operations. */
const SLOWEST = 2.5
const CALIBRATION_MS = 60

/**
 * Compares the speed of tasks that do the same work: as many operations each, as
 * many as take about `turnMs`.
 */
export async function throughput(
  tasks: readonly Task[],
  options: ThroughputOptions,
): Promise<readonly Row[]> {
  const speeds: number[] = []
  for (const task of tasks) speeds.push(await calibrate(task, options))
  const pace = Math.max(median(speeds), Math.max(...speeds) * FASTEST)
  const common = Math.max((pace * options.turnMs) / 1_000, options.inFlight)
  const turns = tasks.map((task, position) => {
    const affordable = ((speeds[position] as number) * options.turnMs * SLOWEST) / 1_000
    const operations = Math.ceil(
      Math.max(Math.min(common, affordable), Math.min(common, options.inFlight * 2)),
    )
    return {
      contender: task.contender,
      kind: task.kind,
      take: () => measureTurn(task, operations, options),
    }
  })
  await interleave(turns, 1) // warms up
  return interleave(turns, options.rounds)
}

/** Operations a second, roughly; it also warms the task up. */
async function calibrate(task: Task, options: ThroughputOptions): Promise<number> {
  let operations = options.inFlight
  for (;;) {
    await task.prepare?.(operations)
    const startMs = performance.now()
    await perform(task, operations, options)
    const tookMs = performance.now() - startMs
    if (tookMs >= CALIBRATION_MS) return (operations * 1_000) / tookMs
    operations = Math.ceil(operations * Math.min(10, Math.max(1.5, (1.2 * CALIBRATION_MS) / tookMs)))
  }
}

async function measureTurn(task: Task, operations: number, options: ThroughputOptions): Promise<Measured> {
  await task.prepare?.(operations)
  // Nobody pays for what the one before left behind.
  globalThis.gc?.()
  const before = await redisLoad(options.redis)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const startCpu = process.cpuUsage()
  const startMs = performance.now()
  await perform(task, operations, options)
  const tookMs = performance.now() - startMs
  const { system, user } = process.cpuUsage(startCpu)
  loop.disable()
  const after = await redisLoad(options.redis)
  const perSecond = (operations * 1_000) / tookMs
  const nodeMicros = (system + user) / operations
  if (options.isLocal) return { perSecond, nodeMicros }
  return {
    perSecond,
    nodeMicros,
    redisMicros: (after.cpuMicros - before.cpuMicros) / operations,
    commands: (after.commands - before.commands) / operations,
    bytesSent: (after.bytesReceived - before.bytesReceived) / operations,
    bytesReceived: (after.bytesSent - before.bytesSent) / operations,
    loopP99Ms: loop.percentile(99) / 1e6,
  }
}

async function perform(task: Task, operations: number, options: ThroughputOptions): Promise<void> {
  if (options.isSync) {
    for (let index = 0; index < operations; index++) task.run(index)
    return
  }
  let next = 0
  const worker = async () => {
    while (next < operations) await task.run(next++)
  }
  await Promise.all(Array.from({ length: options.inFlight }, worker))
}
