// Forked by participant.ts: a participant in a process of its own, which does what it is told and answers.
import { createClient } from '@redis/client'
import { createCache } from '../../../dist/index.js'
import { createParticipant } from './participant.mjs'

let participant

// The parent process has exited or disconnected.
process.on('disconnect', () => process.exit())

process.on('message', async ({ id, method, argument }) => {
  try {
    if (method === 'begin') participant = await createParticipant({ createCache, createClient }, argument)
    const result = method === 'begin' ? undefined : await participant[method](argument)
    process.send({ id, result })
    if (method === 'end') process.disconnect()
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) })
  }
})
