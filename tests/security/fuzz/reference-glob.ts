const code = (character: string): number => character.charCodeAt(0)

/**
 * Whether a pattern matches a text, as `stringmatchlen` of Redis (util.c) decides it, statement by statement.
 * @param search whether no place of an earlier star could help any more
 */
export function redisMatches(pattern: Buffer, text: Buffer, search = { isOver: false }): boolean {
  let p = 0
  let t = 0
  while (p < pattern.length && t < text.length) {
    switch (pattern[p]) {
      case code('*'):
        while (p + 1 < pattern.length && pattern[p + 1] === code('*')) p++
        if (p === pattern.length - 1) return true
        for (; t < text.length; t++) {
          if (redisMatches(pattern.subarray(p + 1), text.subarray(t), search)) return true
          if (search.isOver) return false
        }
        search.isOver = true
        return false
      case code('?'):
        t++
        break
      case code('['): {
        p++
        const isNegated = pattern[p] === code('^')
        if (isNegated) p++
        let isMatched = false
        for (;;) {
          if (p < pattern.length - 1 && pattern[p] === code('\\')) {
            p++
            if (pattern[p] === text[t]) isMatched = true
          } else if (pattern[p] === code(']')) {
            break
          } else if (p >= pattern.length) {
            p--
            break
          } else if (p < pattern.length - 2 && pattern[p + 1] === code('-')) {
            const [start, end] = [char(pattern[p]), char(pattern[p + 2])].sort((a, b) => a - b)
            p += 2
            if (char(text[t]) >= (start as number) && char(text[t]) <= (end as number)) isMatched = true
          } else if (pattern[p] === text[t]) {
            isMatched = true
          }
          p++
        }
        if (isMatched === isNegated) return false
        t++
        break
      }
      default:
        if (pattern[p] === code('\\') && p < pattern.length - 1) p++
        if (pattern[p] !== text[t]) return false
        t++
    }
    p++
    if (t === text.length) {
      while (pattern[p] === code('*')) p++
      break
    }
  }
  return p >= pattern.length && t === text.length
}

/** A byte as the `char` of C, which is signed on x86. */
function char(byte: number | undefined): number {
  return ((byte ?? 0) << 24) >> 24
}
