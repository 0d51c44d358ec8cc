/** `1,234`. */
export function thousands(count: number): string {
  return count.toLocaleString('en')
}

/** `0.21 ms`, `84.3 ms`, `12.3 s`: three figures that say something. */
export function span(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms >= 10) return `${ms.toFixed(1)} ms`
  return ms >= 0.1 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(3)} ms`
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`
}

export function bytes(count: number): string {
  return count < 1_000 ? `${count} B` : `${(count / 1_000).toFixed(1)} kB`
}

/** The value that the fraction `share` of all `values` does not exceed: 0.5 asks for the median. */
export function quantile(values: readonly number[], share: number): number {
  const ascending = [...values].sort((one, other) => one - other)
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? Number.NaN
}

const REGIONS = new Intl.DisplayNames(['en'], { type: 'region' })

/** `France` for `FR`. */
export function countryName(code: string): string {
  return REGIONS.of(code) ?? code
}
