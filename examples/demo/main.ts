import { CacheError } from 'cachewright'
import { Command, InvalidArgumentError, Option } from 'commander'
import { CachedPlaces } from './cached-places.ts'
import { coldAndWarm } from './chapters/cold-and-warm.ts'
import { countersAndASet } from './chapters/counters-and-a-set.ts'
import { invalidation } from './chapters/invalidation.ts'
import { oneQuestionTwice } from './chapters/one-question-twice.ts'
import { questionStream } from './chapters/question-stream.ts'
import { whatLiesInRedis } from './chapters/what-lies-in-redis.ts'
import { yourCode } from './chapters/your-code.ts'
import { type ChosenBackend, chooseBackend, type NamedRedis, PREFIX } from './choose-backend.ts'
import { thousands } from './numbers.ts'
import { PlaceSource } from './place-source.ts'
import { PLACES, placesBySize } from './places.ts'
import { questionsAbout } from './questions.ts'
import type { Stage } from './stage.ts'
import { Terminal } from './terminal.ts'
import { seededRandom } from './zipf.ts'

interface DemoOptions {
  readonly redis?: string
  readonly questions: number
  readonly seed: number
  readonly keep: boolean
}

/** The places that the stream of questions is about: the largest. */
const STREAM_PLACES = 100
const FEWEST_MEASURED_PLACES = 5
const MOST_MEASURED_PLACES = 30

const command = new Command('npm run demo --')
  .description(
    'Shows cachewright at work: two expensive questions about 135,233 places, and a cache before them.',
  )
  .addOption(
    new Option(
      '--redis <url>',
      "use this Redis or Valkey; without it, a server of the demo's own, or memory",
    ).env('REDIS_URL'),
  )
  .option('--questions <count>', 'how many questions are asked in the long part', wholeNumber(1), 3_000)
  .option('--seed <number>', 'another seed asks other questions', wholeNumber(0), 1)
  .option('--keep', `leave what the demo stored (${PREFIX}*) in your Redis, to look at`, false)
  .parse()

const options = command.opts<DemoOptions>()
const terminal = new Terminal(process.stdout, process.env)
const interruption = new AbortController()
const interrupt = (): void => interruption.abort()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupt)
process.stdout.on('error', interrupt) // the reader of a pipe has gone: `npm run demo | head`

try {
  await run(namedRedis())
} catch (error) {
  terminal.restore()
  if (interruption.signal.aborted) {
    process.exitCode = 130
  } else if (error instanceof CacheError) {
    console.error(`\n${failureOf(error)}`)
    process.exitCode = 1
  } else {
    throw error
  }
}

/** Tells the story, and leaves nothing behind however it ends. */
async function run(named: NamedRedis | undefined): Promise<void> {
  terminal.title('cachewright: a cache before two expensive questions')
  const source = new PlaceSource(interruption.signal)
  let chosen: ChosenBackend | undefined
  try {
    chosen = await chooseBackend(named)
    await chosen.backend.clear() // an earlier --keep
    await tellStory(chosen, source)
  } finally {
    terminal.restore()
    await source.close()
    if (chosen !== undefined) await tidyUp(chosen)
  }
}

async function tellStory({ backend, place, window }: ChosenBackend, source: PlaceSource): Promise<void> {
  const { questions: count, seed } = options
  const random = seededRandom(seed)
  const places = new CachedPlaces(backend, source)
  const stage: Stage = { backend, places, random, signal: interruption.signal, source, terminal, window }
  terminal.gap()
  terminal.paragraph(
    `There are ${thousands(PLACES.length)} places in the list. People ask which of them lie nearest to a city, and which they meant when they misspelt a name. Each answer is a look at every place, with no index.`,
  )
  terminal.gap()
  terminal.paragraph(`The cache is ${terminal.bold(place)}.`)

  const measured = Math.min(MOST_MEASURED_PLACES, Math.max(FEWEST_MEASURED_PLACES, Math.round(count / 100)))
  const largest = placesBySize()
  await oneQuestionTwice(stage)
  await coldAndWarm(stage, questionsAbout(largest.slice(STREAM_PLACES, STREAM_PLACES + measured), random))
  const asked = await questionStream(stage, questionsAbout(largest.slice(0, STREAM_PLACES), random), count)
  await whatLiesInRedis(stage, asked)
  await countersAndASet(stage)
  await invalidation(stage, asked)
  yourCode(terminal)
}

async function tidyUp({ backend, close, window }: ChosenBackend): Promise<void> {
  const isKept = options.keep && window !== undefined
  // Where the server is gone there is nothing to remove, and the story has told so.
  const isCleared = isKept ? false : await backend.clear().catch(() => false)
  await close()
  if (isKept) terminal.paragraph(`Kept until it expires: ${PREFIX}*`)
  else if (isCleared) terminal.paragraph(terminal.dim(`All keys of the demo (${PREFIX}*) are removed again.`))
}

function namedRedis(): NamedRedis | undefined {
  const { redis } = options
  if (!redis) return undefined
  return { url: redis, by: command.getOptionValueSource('redis') === 'env' ? 'REDIS_URL' : '--redis' }
}

function failureOf({ code, message }: CacheError): string {
  const named = namedRedis()
  const what = named === undefined ? 'The cache' : `The Redis that ${named.by} names`
  return `${what} cannot be used: ${message} [${code}]`
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text)
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`)
  }
}
