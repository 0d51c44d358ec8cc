/** The items in chunks of at most `limit`. */
export function* chunks<Item>(items: readonly Item[], limit: number): Generator<readonly Item[]> {
  if (items.length <= limit) {
    if (items.length > 0) yield items
    return
  }
  for (let start = 0; start < items.length; start += limit) yield items.slice(start, start + limit)
}
