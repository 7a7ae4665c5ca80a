/**
 * A local file of leaked passwords: lines of SHA-1 in upper-case hexadecimal, sorted, each with anything after a colon (the download of Have I
 * Been Pwned "ordered by hash"). Searched on disk by halves, never read whole; no password and no digest leaves this machine.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'

export interface LeakedPasswords {
  has(password: string): Promise<boolean>
  close(): Promise<void>
}

/** Longer than any line. */
const WINDOW = 128

/** @throws what the file system says when the file cannot be read, TypeError when it is not such a list */
export async function openLeakedPasswords(path: string): Promise<LeakedPasswords> {
  const file = await open(path, 'r')
  const { size } = await file.stat()
  const first = await lineFrom(file, 0)
  if (!/^[0-9A-F]{40}(:|$)/.test(first.line)) {
    await file.close()
    throw new TypeError(`${path} does not begin with a SHA-1 in upper-case hexadecimal`)
  }
  return {
    async has(password) {
      const wanted = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase()
      return search(file, size, wanted)
    },
    close: () => file.close(),
  }
}

/** Keeps: the wanted line, if there is one, begins at or after `low` and before `high`. */
async function search(file: FileHandle, size: number, wanted: string): Promise<boolean> {
  let low = 0
  let high = size
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { line, start, end } = await lineAround(file, middle, low)
    const found = line.slice(0, 40)
    if (found === wanted) return true
    if (found < wanted) low = end
    else high = start
  }
  return false
}

/** The line that holds the byte at `position`, looked for from `low`, where a line begins. */
async function lineAround(file: FileHandle, position: number, low: number): Promise<Line> {
  const from = Math.max(low, position - WINDOW)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2 * WINDOW), 0, 2 * WINDOW, from)
  const bytes = buffer.subarray(0, bytesRead)
  const at = position - from
  const start = at === 0 ? 0 : bytes.lastIndexOf(10, at - 1) + 1
  return lineFrom(file, from + start)
}

interface Line {
  readonly line: string
  readonly start: number
  /** Where the next line begins. */
  readonly end: number
}

async function lineFrom(file: FileHandle, start: number): Promise<Line> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(WINDOW), 0, WINDOW, start)
  const text = buffer.toString('latin1', 0, bytesRead)
  const length = text.includes('\n') ? text.indexOf('\n') : text.length
  return { line: text.slice(0, length).trimEnd(), start, end: start + length + 1 }
}
