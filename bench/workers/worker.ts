import type { Job, Message, Order, PreparedJob } from './job.ts'
import { prepareMemory } from './memory-job.ts'
import { preparePing } from './ping-job.ts'
import { prepareStampede } from './stampede-job.ts'
import { prepareZipf } from './zipf-job.ts'

// The parent may end in any way: nothing is to outlive it.
process.on('disconnect', () => process.exit())

const tell = (message: Message) => process.send?.(message)
const fail = (error: unknown) =>
  tell({ state: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })

try {
  const prepared = await prepare(JSON.parse(process.argv[2] as string) as Job)
  process.on('message', (order: Order) => {
    if (order.order === 'finish') prepared.finish?.()
    else prepared.turn(order.ms).then((outcome) => tell({ state: 'done', outcome }), fail)
  })
  tell({ state: 'ready' })
} catch (error) {
  fail(error)
}

function prepare(job: Job): Promise<PreparedJob> {
  switch (job.kind) {
    case 'ping':
      return preparePing(job)
    case 'zipf':
      return prepareZipf(job)
    case 'stampede':
      return prepareStampede(job)
    case 'memory':
      return prepareMemory(job)
  }
}
