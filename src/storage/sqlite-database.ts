/**
 * One SQLite file: where it lies, who may read it, how it is opened and what tables it has.
 * This is the only file that imports `node:sqlite`. What is written into the tables is for `sqlite-entries.ts` and its siblings.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../errors.ts'
import { unavailable } from './entry.ts'

export type Database = DatabaseSync

/** A store that lives and ends with the process that opened it: for tests of what is built on Licet. */
export const MEMORY = ':memory:'

/** The layout of the tables below. An older program refuses a newer layout instead of damaging it. */
const layout = 1

/** One attempt to get the write lock waits this long, in milliseconds; it blocks the process, so `sqlite-writes.ts` repeats it instead. */
const busyTimeoutMs = 50

/** Up to this size a file is checked when it is opened; beyond, `inspect` (the doctor) checks it, so that a start stays fast. */
const checkedAtOpenBytes = 64 * 1024 * 1024

const tables = `
CREATE TABLE IF NOT EXISTS entry (kind TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, expires_at INTEGER, place INTEGER NOT NULL,
  value TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_expiry ON entry (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS unique_value (kind TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (kind, field, value)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS group_member (kind TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (kind, field, value, place, id)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counter_until ON counter (until);
CREATE TABLE IF NOT EXISTS log_record (log INTEGER NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL, account_id TEXT NOT NULL,
  hash TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (log, sequence)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log_account ON log_record (account_id, sequence);
PRAGMA user_version = ${layout};
`

/**
 * Opens or creates the file (0600, in a directory that is created 0700) in WAL mode and sees that it is sound; `:memory:` is no file.
 * `FULL` means that a commit is on disk when it returns; `NORMAL` may lose the last commits at a power cut, never the file.
 * @throws AppError `invalid_configuration` when it is damaged, no database, or from a newer version; `store_unavailable` when it cannot be opened now.
 */
export function openDatabase(path: string, synchronous: 'FULL' | 'NORMAL'): Database {
  try {
    if (path !== MEMORY) protect(path)
    const database = new DatabaseSync(path, { timeout: busyTimeoutMs })
    try {
      prepare(database, path, synchronous)
    } catch (error) {
      database.close()
      throw error
    }
    return database
  } catch (error) {
    throw openingFailure(error, path)
  }
}

/**
 * An existing file is never opened here, only its mode is set: closing any descriptor of a database file would drop the POSIX
 * locks that another connection of this process holds on it (sqlite.org/howtocorrupt.html §2.2).
 */
function protect(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
}

function prepare(database: Database, path: string, synchronous: string): void {
  // The switch to WAL needs the file alone; another process may be creating it this very moment.
  database.exec('PRAGMA busy_timeout = 1000')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec(`PRAGMA synchronous = ${synchronous}`)
  database.exec('PRAGMA wal_autocheckpoint = 2000')
  database.exec('PRAGMA journal_size_limit = 67108864')
  if (path !== MEMORY && statSync(path).size <= checkedAtOpenBytes) requireSound(database, path)
  const found = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
  if (found > layout)
    throw new AppError('invalid_configuration', `The database ${path} was written by a newer version.`)
  if (found < layout) database.exec(`BEGIN IMMEDIATE; ${tables} COMMIT`)
  database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
}

function requireSound(database: Database, path: string): void {
  const problem = findDamage(database)
  if (problem)
    throw new AppError('invalid_configuration', `The database ${path} is damaged (${problem}). Restore a backup.`)
}

/** The first damage that SQLite finds in the file, or undefined. Reads the whole file. */
export function findDamage(database: Database): string | undefined {
  const answer = String(database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] ?? 'no answer')
  return answer === 'ok' ? undefined : answer
}

const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** The primary result code of an error of SQLite, undefined for every other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return Number(error.errcode) & 0xff
}

/** True if another process holds the lock: trying again will help. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error) === SQLITE_BUSY
}

function openingFailure(error: unknown, path: string): unknown {
  if (error instanceof AppError) return error
  const code = sqliteCode(error)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    return new AppError('invalid_configuration', `The file ${path} is no sound database. Restore a backup.`, {
      cause: error,
    })
  }
  return unavailable(error)
}
