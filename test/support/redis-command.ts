/**
 * One command to a Redis server over a connection of its own, for setting up and looking at servers in tests.
 */
import { connect } from 'node:net'

/** The answer: text, number, null or nested arrays of them. An error answer and a broken connection are thrown. */
export function redisCommand(port: number, args: readonly (string | number)[], timeoutMs = 2000): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    const end = (act: () => void): void => {
      socket.destroy()
      act()
    }
    socket
      .setEncoding('latin1')
      .setTimeout(timeoutMs, () => end(() => reject(new Error(`redis on port ${port} did not answer`))))
    socket.on('error', (error) => end(() => reject(error)))
    socket.on('close', () => reject(new Error(`redis on port ${port} closed the connection`)))
    socket.on('data', (chunk) => {
      received += chunk
      const reply = parse(received, 0)
      if (reply) end(() => (reply.value instanceof Error ? reject(reply.value) : resolve(reply.value)))
    })
    socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join('')}`)
  })
}

/** One RESP2 value at `from` and where it ends; undefined when it is not complete. Lengths count bytes, which are the characters of latin1. */
function parse(text: string, from: number): { value: unknown; end: number } | undefined {
  const lineEnd = text.indexOf('\r\n', from)
  if (lineEnd < 0) return undefined
  const [type, line, end] = [text[from], text.slice(from + 1, lineEnd), lineEnd + 2]
  if (type === '+') return { value: line, end }
  if (type === '-') return { value: new Error(line), end }
  if (type === ':') return { value: Number(line), end }
  const length = Number(line)
  if (length < 0) return { value: null, end }
  if (type === '$')
    return text.length < end + length + 2
      ? undefined
      : { value: Buffer.from(text.slice(end, end + length), 'latin1').toString(), end: end + length + 2 }
  const values: unknown[] = []
  let next = end
  while (values.length < length) {
    const item = parse(text, next)
    if (!item) return undefined
    values.push(item.value)
    next = item.end
  }
  return { value: values, end: next }
}
