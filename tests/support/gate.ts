/** Something that one side waits for and the other brings about. */
export interface Gate<T> {
  readonly opened: Promise<T>
  open(value: T): void
}

/** A gate that is shut. */
export function gate<T = void>(): Gate<T> {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open: (value) => open(value) }
}
