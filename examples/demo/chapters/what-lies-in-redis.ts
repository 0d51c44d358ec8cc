import { PREFIX } from '../choose-backend.ts'
import { bytes } from '../numbers.ts'
import type { Stage } from '../stage.ts'
import type { Asked } from './question-stream.ts'

const SHOWN_CHARACTERS = 142

/** A few keys with what Redis knows of them, and one value as it is stored. */
export async function whatLiesInRedis(stage: Stage, asked: ReadonlyMap<string, Asked>): Promise<void> {
  const { backend, terminal, window } = stage
  const popular = [...asked].sort(([, one], [, other]) => other.times - one.times)
  const answers = popular.slice(0, 3).map(([key]) => key)
  terminal.heading(window === undefined ? 'What lies in memory' : 'What lies in Redis')
  terminal.paragraph(
    `The three answers asked for most, and what the demo counts. Every key begins with ${PREFIX}`,
  )
  terminal.gap()
  const rows = [...answers, 'asked:nearest', 'asked:spelling', 'countries'].map(async (key) => {
    const ttl = await backend.getTtl(key)
    const size = await window?.memoryUsage(PREFIX + key)
    return [
      key,
      (await window?.type(PREFIX + key)) ?? '',
      ttl === undefined ? 'gone' : `${Math.ceil(ttl)} s`,
      size === undefined ? '' : bytes(size),
    ]
  })
  terminal.table(
    window === undefined ? ['key', '', 'TTL'] : ['key', 'type', 'TTL', 'memory'],
    await Promise.all(rows),
    [2, 3],
  )
  const nearest = popular.find(([, { question }]) => question.kind === 'nearest')?.[0]
  const stored = nearest === undefined ? undefined : await window?.text(PREFIX + nearest)
  if (nearest === undefined || stored === undefined) return
  terminal.gap()
  terminal.paragraph('The values are JSON, for everybody to read:')
  terminal.verbatim(`${terminal.dim('$ redis-cli --raw')} GET ${PREFIX}${nearest}`)
  terminal.verbatim(...shortened(stored).map((line) => terminal.cyan(line)))
}

/** The beginning of a text, in lines of 71 characters. */
function shortened(text: string): string[] {
  const letters = [...text]
  const shown =
    letters.length <= SHOWN_CHARACTERS ? letters : [...letters.slice(0, SHOWN_CHARACTERS - 1), '…']
  return shown.join('').match(/.{1,71}/gu) ?? []
}
