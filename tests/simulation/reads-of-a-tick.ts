interface WaitingRead {
  readonly storedKey: string
  readonly resolve: (bytes: Buffer | null) => void
  readonly reject: (error: unknown) => void
}

/** Sends the reads of one tick together, as the batcher of the Redis tier does. */
export class ReadsOfATick {
  readonly #send: (storedKeys: readonly string[]) => Promise<readonly (Buffer | null)[]>
  #reads: WaitingRead[] = []

  constructor(send: (storedKeys: readonly string[]) => Promise<readonly (Buffer | null)[]>) {
    this.#send = send
  }

  read(storedKey: string): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      if (this.#reads.push({ storedKey, resolve, reject }) === 1) process.nextTick(() => this.#flush())
    })
  }

  #flush(): void {
    const reads = this.#reads
    this.#reads = []
    this.#send(reads.map(({ storedKey }) => storedKey)).then(
      (replies) => {
        for (const [index, { resolve }] of reads.entries()) resolve(replies[index] ?? null)
      },
      (error) => {
        for (const { reject } of reads) reject(error)
      },
    )
  }
}
