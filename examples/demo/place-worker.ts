import { parentPort } from 'node:worker_threads'
import { compute, type Question } from './questions.ts'

// Runs in a thread of its own, as a database would run elsewhere: the event loop that asks stays free.
parentPort?.on('message', (question: Question) => {
  const begun = performance.now()
  const answer = compute(question)
  parentPort?.postMessage({ answer, ms: performance.now() - begun })
})
