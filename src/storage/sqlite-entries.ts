/**
 * Entries in one SQLite file: the statements, and what each act on an entry reads and writes. Every function here is synchronous;
 * those that write run inside a transaction of `sqlite-writes.ts`, so entry, unique values and groups change together.
 */
import { conflict, groupValues, isAlive, uniqueValues } from './entry.ts'
import type { Kind } from './kinds.ts'
import type { Database } from './sqlite-database.ts'
import type { Change, Entry, Stored, Updated } from './store.ts'

interface Row {
  readonly id: string
  readonly version: string
  readonly expires_at: number | null
  readonly place: number
  readonly value: string
}

/** A place in a group: newest first, equal ones by id. */
export interface Place {
  readonly place: number
  readonly id: string
}

export interface Entries {
  find<V>(kind: Kind, id: string): Stored<V> | undefined
  findBy<V>(kind: Kind, field: string, value: string): Stored<V> | undefined
  /** Living members before `from`, newest first, each with its place. */
  listGroup<V>(kind: Kind, member: { field: string; value: string }, from: Place, limit: number): (Stored<V> & Place)[]
  /** Living entries of a kind whose id is greater than `after`, by id. */
  listKind<V>(kind: Kind, after: string, limit: number): Stored<V>[]
  put<V>(kind: Kind, entry: Entry<V>, mode: 'create' | 'replace'): Stored<V>
  update<V>(kind: Kind, id: string, change: Change<V>): Updated<V>
  take<V>(kind: Kind, id: string): Stored<V> | undefined
  /** Removes up to `limit` entries that expired before `time`; how many there were. */
  sweep(time: number, limit: number): number
}

const columns = 'e.id, e.version, e.expires_at, e.place, e.value'
const alive = '(e.expires_at IS NULL OR e.expires_at > ?)'

function prepareAll(database: Database) {
  const prepare = (sql: string) => database.prepare(sql)
  return {
    find: prepare(`SELECT ${columns} FROM entry e WHERE e.kind = ? AND e.id = ?`),
    findBy: prepare(`SELECT ${columns} FROM unique_value u JOIN entry e ON e.kind = u.kind AND e.id = u.id
      WHERE u.kind = ? AND u.field = ? AND u.value = ? AND ${alive}`),
    listGroup: prepare(`SELECT ${columns} FROM group_member g JOIN entry e ON e.kind = g.kind AND e.id = g.id
      WHERE g.kind = ? AND g.field = ? AND g.value = ? AND (g.place, g.id) < (?, ?) AND ${alive} ORDER BY g.place DESC, g.id DESC LIMIT ?`),
    listKind: prepare(
      `SELECT ${columns} FROM entry e WHERE e.kind = ? AND e.id > ? AND ${alive} ORDER BY e.id LIMIT ?`,
    ),
    write: prepare(
      'INSERT OR REPLACE INTO entry (kind, id, version, expires_at, place, value) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    remove: prepare('DELETE FROM entry WHERE kind = ? AND id = ?'),
    claim: prepare('INSERT OR REPLACE INTO unique_value (kind, field, value, id) VALUES (?, ?, ?, ?)'),
    release: prepare('DELETE FROM unique_value WHERE kind = ? AND field = ? AND value = ? AND id = ?'),
    join: prepare('INSERT OR REPLACE INTO group_member (kind, field, value, place, id) VALUES (?, ?, ?, ?, ?)'),
    leave: prepare('DELETE FROM group_member WHERE kind = ? AND field = ? AND value = ? AND place = ? AND id = ?'),
    expired: prepare(
      `SELECT e.kind, ${columns} FROM entry e WHERE e.expires_at IS NOT NULL AND e.expires_at < ? LIMIT ?`,
    ),
  }
}

function stored<V>(row: Row): Stored<V> {
  const expiry = row.expires_at === null ? {} : { expiresAt: row.expires_at }
  return { id: row.id, value: JSON.parse(row.value) as V, version: row.version, ...expiry }
}

export interface EntryTools {
  readonly now: () => number
  readonly nextVersion: () => string
  readonly nextPlace: () => number
}

export function createEntries(database: Database, { now, nextVersion, nextPlace }: EntryTools): Entries {
  const sql = prepareAll(database)
  const rowOf = (kind: Kind, id: string) => sql.find.get(kind, id) as unknown as Row | undefined
  const isLiving = (row: Row | undefined): row is Row =>
    row !== undefined && isAlive({ expiresAt: row.expires_at }, now())

  function dropIndexes(kind: Kind, row: Row): void {
    const value: unknown = JSON.parse(row.value)
    for (const [field, one] of uniqueValues(kind, value)) sql.release.run(kind, field, one, row.id)
    for (const [field, one] of groupValues(kind, value)) sql.leave.run(kind, field, one, row.place, row.id)
  }

  function requireFree(kind: Kind, id: string, value: unknown): void {
    for (const [field, one] of uniqueValues(kind, value)) {
      const holder = sql.findBy.get(kind, field, one, now()) as unknown as Row | undefined
      if (holder && holder.id !== id) throw conflict(kind, field)
    }
  }

  function write<V>(kind: Kind, entry: Entry<V>, before: Row | undefined): Stored<V> {
    requireFree(kind, entry.id, entry.value)
    if (before) dropIndexes(kind, before)
    const place = isLiving(before) ? before.place : nextPlace()
    const version = nextVersion()
    sql.write.run(kind, entry.id, version, entry.expiresAt ?? null, place, JSON.stringify(entry.value))
    for (const [field, one] of uniqueValues(kind, entry.value)) sql.claim.run(kind, field, one, entry.id)
    for (const [field, one] of groupValues(kind, entry.value)) sql.join.run(kind, field, one, place, entry.id)
    const expiry = entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }
    return { id: entry.id, value: entry.value, version, ...expiry }
  }

  function remove(kind: Kind, row: Row): void {
    dropIndexes(kind, row)
    sql.remove.run(kind, row.id)
  }

  return {
    find<V>(kind: Kind, id: string) {
      const row = rowOf(kind, id)
      return isLiving(row) ? stored<V>(row) : undefined
    },
    findBy<V>(kind: Kind, field: string, value: string) {
      const row = sql.findBy.get(kind, field, value, now()) as unknown as Row | undefined
      return row && stored<V>(row)
    },
    listGroup<V>(kind: Kind, member: { field: string; value: string }, from: Place, limit: number) {
      const rows = sql.listGroup.all(kind, member.field, member.value, from.place, from.id, now(), limit)
      return (rows as unknown as Row[]).map((row) => ({ ...stored<V>(row), place: row.place }))
    },
    listKind<V>(kind: Kind, after: string, limit: number) {
      return (sql.listKind.all(kind, after, now(), limit) as unknown as Row[]).map((row) => stored<V>(row))
    },
    put(kind, entry, mode) {
      const before = rowOf(kind, entry.id)
      if (mode === 'create' && isLiving(before)) throw conflict(kind)
      return write(kind, entry, before)
    },
    update<V>(kind: Kind, id: string, change: Change<V>): Updated<V> {
      const row = rowOf(kind, id)
      if (!isLiving(row)) return { changed: false }
      const entry = stored<V>(row)
      const next = change(entry.value, entry)
      if (!next) return { changed: false, entry }
      const expiresAt = next.expiresAt ?? entry.expiresAt
      return {
        changed: true,
        entry: write(kind, { id, value: next.value, ...(expiresAt === undefined ? {} : { expiresAt }) }, row),
      }
    },
    take<V>(kind: Kind, id: string) {
      const row = rowOf(kind, id)
      if (!row) return undefined
      remove(kind, row)
      return isLiving(row) ? stored<V>(row) : undefined
    },
    sweep(time, limit) {
      const rows = sql.expired.all(time, limit) as unknown as (Row & { kind: Kind })[]
      for (const row of rows) remove(row.kind, row)
      return rows.length
    },
  }
}
