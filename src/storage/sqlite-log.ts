/**
 * The 16 hash-chained logs in one SQLite file. A record takes its place inside a transaction that holds the only write lock,
 * so two processes never continue the same link.
 */

import { emptyTail, logOf, nextLink, type Tail } from './chain.ts'
import { fromCursor, toCursor } from './entry.ts'
import type { Database } from './sqlite-database.ts'
import type { LogPage, LogRecord } from './store.ts'

interface Row {
  readonly log: number
  readonly sequence: number
  readonly at: number
  readonly hash: string
  readonly record: string
}

export interface Log {
  /** Runs inside a transaction. */
  append(accountId: string, record: LogRecord['record']): LogRecord
  read(accountId: string, cursor: string | undefined, limit: number): LogPage
  readLog(log: number, fromSequence: number, limit: number): readonly LogRecord[]
}

const fromRow = (row: Row): LogRecord => ({
  log: row.log,
  sequence: row.sequence,
  at: row.at,
  hash: row.hash,
  record: JSON.parse(row.record) as LogRecord['record'],
})

export function createLog(database: Database, now: () => number): Log {
  const tail = database.prepare('SELECT sequence, hash FROM log_record WHERE log = ? ORDER BY sequence DESC LIMIT 1')
  const write = database.prepare(
    'INSERT INTO log_record (log, sequence, at, account_id, hash, record) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const columns = 'log, sequence, at, hash, record'
  const ofAccount = database.prepare(
    `SELECT ${columns} FROM log_record WHERE account_id = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
  )
  const ofLog = database.prepare(
    `SELECT ${columns} FROM log_record WHERE log = ? AND sequence >= ? ORDER BY sequence LIMIT ?`,
  )

  return {
    append(accountId, record) {
      const log = logOf(accountId)
      const link = nextLink((tail.get(log) as unknown as Tail | undefined) ?? emptyTail, { log, at: now(), record })
      write.run(log, link.sequence, link.at, accountId, link.hash, JSON.stringify(link.record))
      return link
    },
    read(accountId, cursor, limit) {
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(fromCursor(cursor, /^\d{1,15}$/)[0])
      const rows = ofAccount.all(accountId, before, limit + 1) as unknown as Row[]
      const items = rows.slice(0, limit).map(fromRow)
      const last = items.at(-1)
      return rows.length > limit && last ? { items, nextCursor: toCursor(String(last.sequence)) } : { items }
    },
    readLog: (log, fromSequence, limit) => (ofLog.all(log, fromSequence, limit) as unknown as Row[]).map(fromRow),
  }
}
