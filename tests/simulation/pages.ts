/** The pages in which SCAN finds the keys of a database. */
export const PAGES = 2

/** The page that a key lies on. */
export function pageOf(storedKey: string): number {
  let sum = 0
  for (let at = 0; at < storedKey.length; at++) sum += storedKey.charCodeAt(at)
  return sum % PAGES
}
