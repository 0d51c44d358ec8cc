import { type CacheBackend, glob } from 'cachewright'
import { countryName, span, thousands } from '../numbers.ts'
import type { Answer } from '../questions.ts'
import { type Stage, timed } from '../stage.ts'
import type { Asked } from './question-stream.ts'

const CALL = `await backend.invalidatePattern(glob\`answer:\${country}:*\`)`

/** Throws away the answers about one country, and shows that it hits those and no others. */
export async function invalidation(stage: Stage, asked: ReadonlyMap<string, Asked>): Promise<void> {
  const { backend, places, terminal } = stage
  const [country, ours] = largestGroup(asked)
  const others = [...asked.keys()].filter((key) => !ours.includes(key))
  const before = [await countPresent(backend, ours), await countPresent(backend, others)] as const
  const quoted = await backend.invalidatePattern(glob`answer:${'*'}:*`)
  const removed = await backend.invalidatePattern(glob`answer:${country}:*`)
  const after = [await countPresent(backend, ours), await countPresent(backend, others)] as const
  const again = asked.get(ours[0] ?? '')?.question

  terminal.heading('Invalidation')
  terminal.paragraph(`Something has changed in ${countryName(country)}. Its answers go, and no others:`)
  terminal.verbatim(`${terminal.cyan(CALL)} → ${terminal.bold(thousands(removed))}`)
  terminal.gap()
  terminal.table(
    ['answers in the cache', 'before', 'after'],
    [
      [`about ${countryName(country)}`, thousands(before[0]), terminal.bold(thousands(after[0]))],
      ['about all other countries', thousands(before[1]), thousands(after[1])],
    ],
    [1, 2],
  )
  terminal.gap()
  if (again !== undefined) {
    const cold = await timed(() => places.ask(again))
    const warm = await timed(() => places.ask(again))
    terminal.paragraph(
      `The next to ask has it computed anew (${span(cold)}); whoever comes after has it in ${span(warm)}.`,
    )
  }
  terminal.paragraph(
    `The tag ${terminal.cyan('glob')} quotes what it is given: with ${terminal.bold("'*'")} as the country it removes ${quoted} answers, not all of them.`,
  )
}

/** The country that most answers are about, with their keys. */
function largestGroup(
  asked: ReadonlyMap<string, Asked>,
): readonly [country: string, keys: readonly string[]] {
  const groups = new Map<string, string[]>()
  for (const [key, { question }] of asked) {
    groups.set(question.country, [...(groups.get(question.country) ?? []), key])
  }
  return [...groups].reduce((largest, group) => (group[1].length > largest[1].length ? group : largest))
}

async function countPresent(backend: CacheBackend<Answer>, keys: readonly string[]): Promise<number> {
  const answers = await backend.getMany(keys)
  return [...answers.values()].filter((answer) => answer !== undefined).length
}
