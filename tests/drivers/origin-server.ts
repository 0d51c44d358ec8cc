import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach } from 'vitest'

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** An HTTP server whose behaviour each test decides. */
export interface OriginServer {
  readonly url: string
  /** What has come in since the test began, as `GET /path`. */
  readonly requests: readonly string[]
  /** Has all requests answered this way. */
  answer(handler: Handler): void
  /** Has them answered with a count, which may be kept for a minute unless the headers say otherwise. */
  answerWithCount(headers?: Record<string, string>): void
}

/** Starts a server on a loopback port before the tests of the file, and stops it after. */
export function useOriginServer(): OriginServer {
  const requests: string[] = []
  let answer: Handler
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    // It has full seconds, so a response would look older than it is.
    response.sendDate = false
    answer(request, response)
  })
  beforeAll(() => new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening)))
  beforeEach(() => {
    requests.length = 0
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })
  return {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    requests,
    answer(handler) {
      answer = handler
    },
    answerWithCount(headers = {}) {
      let count = 0
      answer = (_request, response) => {
        response.writeHead(200, { 'cache-control': 'max-age=60', ...headers }).end(`answer ${++count}`)
      }
    },
  }
}
