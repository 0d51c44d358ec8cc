import { FIGURES, type Section } from '../measure/section.ts'
import { growthExponent } from '../measure/statistics.ts'
import { medianOf } from './ratios.ts'

/** How a contender's cost grows over a series of sections that differ in one size. */
export interface Growth {
  readonly series: string
  readonly unit: string
  readonly contender: string
  readonly sizes: readonly number[]
  readonly exponent: number
}

/** The exponents of every series in which a contender was measured at two sizes at least. */
export function growthOf(sections: readonly Section[]): readonly Growth[] {
  const names = [...new Set(sections.flatMap(({ series }) => (series === undefined ? [] : [series.name])))]
  return names.flatMap((name) => {
    const members = sections.filter((section) => section.series?.name === name)
    const contenders = [...new Set(members.flatMap(({ rows }) => rows.map(({ contender }) => contender)))]
    return contenders.flatMap((contender) => {
      const points = members.flatMap((section) => {
        const row = section.rows.find((candidate) => candidate.contender === contender)
        const value = row && medianOf(row, section.figure)
        if (value === undefined || section.series === undefined) return []
        const cost = FIGURES[section.figure].better === 'more' ? 1 / value : value
        return [{ size: section.series.size, cost }]
      })
      if (points.length < 2) return []
      const sizes = points.map(({ size }) => size)
      const unit = members[0]?.series?.unit ?? ''
      return [{ series: name, unit, contender, sizes, exponent: growthExponent(points) }]
    })
  })
}
