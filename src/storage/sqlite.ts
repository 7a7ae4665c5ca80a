/**
 * The embedded engine: keeps the promises of `store.ts` on two SQLite files. The main file holds durable kinds and the logs and waits
 * for the disk at every commit; the file beside it holds volatile kinds and counters and does not. Several processes may open both.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { createPlaces, createVersions, fromCursor, pageLimit, requireIndex, toCursor, unavailable } from './entry.ts'
import { type Kind, kinds } from './kinds.ts'
import { createCounters } from './sqlite-counters.ts'
import { type Database, findDamage, MEMORY, openDatabase, sqliteCode } from './sqlite-database.ts'
import { createEntries, type EntryTools } from './sqlite-entries.ts'
import { createLog } from './sqlite-log.ts'
import { createWrites } from './sqlite-writes.ts'
import type { ListOptions, Page, Store, StoreReport } from './store.ts'

const sweepEveryMs = 60_000
/** Expired entries stay this long, so that a clock set back for a moment brings nothing back that is then gone. */
const sweepMarginMs = 60_000
const sweepBatch = 500

/** The name of the file for volatile kinds beside the main one. */
export function volatilePath(path: string): string {
  if (path === MEMORY) return MEMORY
  return `${path.replace(/\.db$/, '')}-volatile.db`
}

/** Opens or creates the store at `path`. @throws AppError `invalid_configuration` or `store_unavailable`, see `openDatabase`. */
export function openSqliteStore(path: string, { now }: { now: () => number }): Store {
  const tools: EntryTools = { now, nextVersion: createVersions(), nextPlace: createPlaces(now) }
  const durable = openRoom(openDatabase(path, 'FULL'), tools)
  const volatile = openRoom(openDatabase(volatilePath(path), 'NORMAL'), tools)
  const rooms = [durable, volatile]
  const roomOf = (kind: Kind) => (kinds[kind].durable ? durable : volatile)
  const log = createLog(durable.database, now)
  const counters = createCounters(volatile.database, now)

  async function sweep(): Promise<void> {
    const time = now() - sweepMarginMs
    const acts = [...rooms.map((room) => ({ room, act: room.entries.sweep })), { room: volatile, act: counters.sweep }]
    for (const { room, act } of acts) {
      while ((await room.writes.run(() => act(time, sweepBatch))) === sweepBatch);
    }
  }
  const owner = repeat(sweep, sweepEveryMs)

  return {
    find: async (kind, id) => reading(() => roomOf(kind).entries.find(kind, id)),
    async findBy(kind, field, value) {
      requireIndex(kind, 'unique', field)
      return reading(() => roomOf(kind).entries.findBy(kind, field, value))
    },
    list: async (kind, options = {}) => reading(() => listPage(roomOf(kind), kind, options)),
    put: (kind, entry, mode) => roomOf(kind).writes.run(() => roomOf(kind).entries.put(kind, entry, mode)),
    update: (kind, id, change) => roomOf(kind).writes.run(() => roomOf(kind).entries.update(kind, id, change)),
    take: (kind, id) => roomOf(kind).writes.run(() => roomOf(kind).entries.take(kind, id)),
    remove: (kind, id) => roomOf(kind).writes.run(() => roomOf(kind).entries.take(kind, id) !== undefined),
    async removeGroup(kind, group, value) {
      requireIndex(kind, 'groups', group)
      let removed = 0
      for (let size = sweepBatch; size === sweepBatch; removed += size) {
        size = await roomOf(kind).writes.run(() => removeMembers(roomOf(kind), kind, { field: group, value }))
      }
      return removed
    },
    increment: (counter, windowSeconds, by = 1) =>
      volatile.writes.run(() => counters.increment(counter, windowSeconds, by)),
    count: async (counter) => reading(() => counters.count(counter)),
    append: (accountId, record) => durable.writes.run(() => log.append(accountId, record)),
    read: async (accountId, options = {}) =>
      reading(() => log.read(accountId, options.cursor, pageLimit(options.limit))),
    readLog: async (number, fromSequence, limit) => reading(() => log.readLog(number, fromSequence, limit)),
    async ping() {
      await Promise.all(rooms.map((room) => room.writes.run(room.touch)))
    },
    inspect: async () => reading(() => report(path, rooms)),
    async close() {
      await owner.stop()
      await Promise.all(rooms.map((room) => room.writes.close()))
      for (const room of rooms) if (room.database.isOpen) room.database.close()
    },
  }
}

type Room = ReturnType<typeof openRoom>

function openRoom(database: Database, tools: EntryTools) {
  const touch = database.prepare("INSERT OR REPLACE INTO counter (name, count, until) VALUES ('', 0, ?)")
  const writes = createWrites(database)
  return { database, writes, entries: createEntries(database, tools), touch: () => void touch.run(tools.now()) }
}

/** Reads happen at once, outside the queue of writes; what SQLite throws becomes `store_unavailable`. */
function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    const closed = error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE'
    throw closed || sqliteCode(error) !== undefined ? unavailable(error) : error
  }
}

function listPage<V>(room: Room, kind: Kind, { group, value = '', cursor, limit }: ListOptions): Page<V> {
  const size = pageLimit(limit)
  if (group === undefined) {
    const after = cursor === undefined ? '' : fromCursor(cursor, /^i(.*)$/s)[1]
    const found = room.entries.listKind<V>(kind, after ?? '', size + 1)
    return page(found, size, (last) => `i${last.id}`)
  }
  requireIndex(kind, 'groups', group)
  const [, place = Number.MAX_SAFE_INTEGER, id = ''] =
    cursor === undefined ? [] : fromCursor(cursor, /^p(\d{1,16}):(.*)$/s)
  const found = room.entries.listGroup<V>(kind, { field: group, value }, { place: Number(place), id }, size + 1)
  const { items, nextCursor } = page(found, size, (last) => `p${last.place}:${last.id}`)
  return { items: items.map(({ place: _, ...entry }) => entry), ...(nextCursor === undefined ? {} : { nextCursor }) }
}

function page<T>(found: T[], size: number, placeOf: (last: T) => string): { items: T[]; nextCursor?: string } {
  const items = found.slice(0, size)
  const last = items.at(-1)
  return found.length > size && last ? { items, nextCursor: toCursor(placeOf(last)) } : { items }
}

function removeMembers(room: Room, kind: Kind, member: { field: string; value: string }): number {
  const start = { place: Number.MAX_SAFE_INTEGER, id: '' }
  const found = room.entries.listGroup(kind, member, start, sweepBatch)
  for (const entry of found) room.entries.take(kind, entry.id)
  return found.length
}

/** Repeats an act until stopped; a failing round is left to the next one. It never keeps the process alive. */
function repeat(act: () => Promise<void>, everyMs: number): { stop(): Promise<void> } {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= act()
      .catch(() => undefined)
      .finally(() => {
        running = undefined
      })
  }, everyMs)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}

function report(path: string, rooms: readonly Room[]): StoreReport {
  if (path === MEMORY) {
    return { engine: 'sqlite', problems: ['The store is in memory and ends with this process.'], warnings: [] }
  }
  const problems: string[] = []
  for (const { database } of rooms) {
    const mode = database.prepare('PRAGMA journal_mode').get()?.['journal_mode']
    if (mode !== 'wal') problems.push(`The database ${path} is in journal mode ${String(mode)} instead of wal.`)
    const damage = findDamage(database)
    if (damage) problems.push(`The database ${path} is damaged: ${damage}.`)
  }
  const open = (statSync(dirname(path)).mode & 0o077) !== 0
  const warnings = open ? [`The directory ${dirname(path)} can be entered by others: its mode should be 0700.`] : []
  return { engine: 'sqlite', problems, warnings }
}
