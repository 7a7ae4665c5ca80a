/**
 * Rows from a file or standard input, one at a time. What the lines mean stands in `accounts/import-lines.ts`.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { type ReadRow, type RowFormat, rowsOf } from '../accounts/import-lines.ts'
import { badUsage } from './program.ts'

/** Lines of the named file; `-` is standard input. @throws usage error when it cannot be read */
export async function* readRows(
  path: string,
  format: RowFormat,
  input: NodeJS.ReadableStream = process.stdin,
): AsyncGenerator<ReadRow> {
  const stream: NodeJS.ReadableStream = path === '-' ? input : createReadStream(path)
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
  const failed = new Promise<never>((_resolve, reject) =>
    stream.once('error', () => reject(badUsage(`${path} cannot be read`))),
  )
  // Nobody waits for it when all goes well.
  failed.catch(() => undefined)
  const rows = rowsOf(lines, format)
  while (true) {
    const { value, done } = await Promise.race([rows.next(), failed])
    if (done) return
    yield value
  }
}
