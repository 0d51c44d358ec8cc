import { CONTENDERS } from './contenders/contenders.ts'
import type { Section } from './measure/section.ts'
import type { Run, Scenario } from './scenarios/scenario.ts'

const TURN_MS = 120
const QUICK_TURN_MS = 60

/** Measures one scenario after the other, and tells on the error output what it is about. */
export async function measureAll(
  scenarios: readonly Scenario[],
  options: Pick<Run, 'redis' | 'rounds' | 'isQuick'> & Partial<Pick<Run, 'contenders'>>,
): Promise<readonly Section[]> {
  const startMs = performance.now()
  const run: Run = {
    contenders: CONTENDERS,
    turnMs: options.isQuick ? QUICK_TURN_MS : TURN_MS,
    progress: (text) => console.error(`${clock(performance.now() - startMs)} ${text}`),
    ...options,
  }
  const sections: Section[] = []
  for (const scenario of scenarios) {
    try {
      sections.push(...(await scenario.measure(run)))
    } catch (error) {
      // What the others found in all that time is not to be lost.
      console.error(`${scenario.name} failed:`, error)
      process.exitCode = 1
    }
  }
  return sections
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`
}
