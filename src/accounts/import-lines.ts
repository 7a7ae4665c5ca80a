/**
 * Rows out of the lines of a file: NDJSON (an object per line) or CSV with a header (RFC 4180). Whatever is wrong with one row is told with its line
 * and ends nothing; memory does not grow with the file. What a row may hold stands in `import-rows.ts`.
 */

export type RowFormat = 'csv' | 'ndjson'
export type ReadRow =
  | { readonly line: number; readonly row: Readonly<Record<string, unknown>> }
  | { readonly line: number; readonly problem: string }

const LONGEST_ROW = 65_536

/** The rows of these lines, in order; empty lines are none. */
export function rowsOf(lines: AsyncIterable<string>, format: RowFormat): AsyncGenerator<ReadRow> {
  return format === 'csv' ? csvRows(lines) : jsonRows(lines)
}

async function* jsonRows(lines: AsyncIterable<string>): AsyncGenerator<ReadRow> {
  let line = 0
  for await (const text of lines) {
    line += 1
    if (text.trim() === '') continue
    yield { line, ...readJson(text) }
  }
}

function readJson(text: string): { row: Record<string, unknown> } | { problem: string } {
  if (text.length > LONGEST_ROW) return { problem: 'The line is too long.' }
  try {
    const row: unknown = JSON.parse(text)
    const isObject = typeof row === 'object' && row !== null && !Array.isArray(row)
    return isObject ? { row: row as Record<string, unknown> } : { problem: 'The line is not a JSON object.' }
  } catch {
    return { problem: 'The line is not JSON.' }
  }
}

async function* csvRows(lines: AsyncIterable<string>): AsyncGenerator<ReadRow> {
  let header: string[] | undefined
  let line = 0
  let open = ''
  for await (const text of lines) {
    line += 1
    const record = open === '' ? text : `${open}\n${text}`
    // An odd number of quotes: the value goes on in the next line.
    if ((record.split('"').length - 1) % 2 === 1 && record.length <= LONGEST_ROW) {
      open = record
      continue
    }
    open = ''
    if (record.trim() === '') continue
    const cells = record.length > LONGEST_ROW ? undefined : cellsOf(record)
    if (!header) header = cells?.map((cell) => cell.replace(/^\ufeff/, '').trim())
    else if (cells?.length !== header.length) yield { line, problem: `The row has not ${header.length} cells.` }
    else yield { line, row: Object.fromEntries(header.map((name, index) => [name, cells[index] ?? ''])) }
  }
  if (open !== '') yield { line, problem: 'A quote is not closed.' }
}

/** Undefined for a quote in the middle of a bare cell. */
function cellsOf(record: string): string[] | undefined {
  const cells: string[] = []
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  while (cell.lastIndex <= record.length) {
    const match = cell.exec(record)
    if (!match) return undefined
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    if (match[3] === '') return cells
  }
  return cells
}
