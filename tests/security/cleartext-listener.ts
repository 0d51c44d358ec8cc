import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'

/** The first byte of every connection that begins with TLS: a handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16

/** A server that speaks with and without TLS on one port, and keeps what it hears. */
export interface CleartextListener {
  readonly port: number
  /** What was received without TLS. */
  readonly cleartext: string[]
  /** The commands that were received with TLS, as words. */
  readonly encrypted: string[][]
  close(): Promise<void>
}

/** The certificate of all listeners, for 127.0.0.1. */
export async function certificateOfListeners(): Promise<{ readonly cert: string; readonly key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  })
  return { cert, key }
}

/** @param answers the replies in RESP to some commands, by the first words; all others get an error */
export async function listenInCleartext(
  certificate: { readonly cert: string; readonly key: string },
  answers: () => Readonly<Record<string, string>>,
): Promise<CleartextListener> {
  const cleartext: string[] = []
  const encrypted: string[][] = []
  const sockets = new Set<Socket>()
  const serve = (socket: Socket, hear: (command: string[], text: string) => void) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      for (const command of commandsIn(text)) {
        hear(command, text)
        socket.write(answerTo(command, answers()))
      }
    })
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (first) => {
      socket.pause()
      socket.unshift(first)
      if (first[0] === TLS_HANDSHAKE) {
        const secure = new TLSSocket(socket, { isServer: true, ...certificate })
        serve(secure, (command) => encrypted.push(command))
      } else {
        cleartext.push(first.toString('latin1'))
        serve(socket, (_, text) => cleartext.push(text))
        socket.resume()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { readonly port: number }).port,
    cleartext,
    encrypted,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** The commands in a piece of RESP, which is assumed to end with a whole one. */
function commandsIn(text: string): readonly string[][] {
  return text
    .split(/^\*\d+\r\n/m)
    .slice(1)
    .map((command) => [...command.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word as string))
}

function answerTo(command: readonly string[], answers: Readonly<Record<string, string>>): string {
  const line = command.join(' ').toUpperCase()
  for (const [words, answer] of Object.entries(answers)) if (line.startsWith(words)) return answer
  return '-ERR unknown command\r\n'
}
