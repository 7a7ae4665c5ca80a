/**
 * A connection that sends bytes exactly as they are given and reads whole answers: keep-alive while the server allows it, a new socket otherwise.
 * Every exchange ends: with an answer, or with the connection closed, or as a hang after five seconds.
 */
import { connect, type Socket } from 'node:net'

export const HANG_MS = 5000

export interface Answer {
  /** 0 when the connection was closed without an answer, -1 when nothing happened in time. */
  readonly status: number
  readonly head: string
  readonly body: string
}

export const HUNG: Answer = { status: -1, head: '', body: '' }
const CLOSED: Answer = { status: 0, head: '', body: '' }

export interface Connection {
  /** `isHead`: the answer has no body, whatever its headers say. */
  exchange(bytes: Buffer, isHead: boolean): Promise<Answer>
  close(): void
}

export function openConnection(port: number): Connection {
  let socket: Socket | undefined

  const once = (bytes: Buffer, isHead: boolean): Promise<Answer> =>
    new Promise((resolve) => {
      const line = socket && !socket.destroyed ? socket : connect({ port, host: '127.0.0.1', noDelay: true })
      socket = line
      let received = Buffer.alloc(0)
      const done = (answer: Answer): void => {
        clearTimeout(timer)
        line.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error')
        line.on('error', () => undefined)
        if (answer.status <= 0 || /\r\nconnection: close/i.test(answer.head)) line.destroy()
        resolve(answer)
      }
      const timer = setTimeout(() => done(HUNG), HANG_MS)
      line.on('data', (piece: Buffer) => {
        received = Buffer.concat([received, piece])
        const answer = readAnswer(received, isHead)
        if (answer) done(answer)
      })
      line.on('error', () => undefined)
      line.on('close', () => done(readAnswer(received, isHead, true) ?? CLOSED))
      line.write(bytes)
    })

  return {
    async exchange(bytes, isHead) {
      const isReused = socket !== undefined && !socket.destroyed
      const answer = await once(bytes, isHead)
      // A kept connection may have been closed by the server at this very moment: that says nothing about the request.
      return answer.status === 0 && isReused ? once(bytes, isHead) : answer
    },
    close: () => void socket?.destroy(),
  }
}

/** The first final answer in what has come; undefined while it is not whole. */
function readAnswer(received: Buffer, isHead: boolean, isClosed = false): Answer | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = received.toString('latin1', 0, headEnd)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0)
  const rest = received.subarray(headEnd + 4)
  if (status < 200) return readAnswer(rest, isHead, isClosed)
  if (isHead || status === 204 || status === 304) return { status, head, body: '' }
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    if (rest.length < Number(length) && !isClosed) return undefined
    return { status, head, body: rest.toString('utf8', 0, Number(length)) }
  }
  const isWhole = isClosed || (/\r\ntransfer-encoding: chunked/i.test(head) && rest.includes('0\r\n\r\n'))
  return isWhole ? { status, head, body: rest.toString('utf8') } : undefined
}

/** Everything that comes back for bytes that may be no request at all, until the connection is closed. */
export function sendRaw(port: number, bytes: Buffer): Promise<{ text: string; hung: boolean }> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const hang = setTimeout(() => end(true), HANG_MS)
    // Once nothing comes any more the client says that it is done; then the server must close.
    let quiet = setTimeout(() => socket.end(), 200)
    const end = (hung: boolean): void => {
      clearTimeout(hang)
      clearTimeout(quiet)
      socket.destroy()
      resolve({ text: Buffer.concat(pieces).toString('latin1'), hung })
    }
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece)
      clearTimeout(quiet)
      quiet = setTimeout(() => socket.end(), 30)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => end(false))
    socket.write(bytes)
  })
}
