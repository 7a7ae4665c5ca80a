/**
 * Counters that forget themselves, in one SQLite file. They may be lost when the machine is: no decision that must hold depends on one.
 */
import type { Database } from './sqlite-database.ts'
import type { Counted } from './store.ts'

export interface Counters {
  /** Runs inside a transaction. */
  increment(name: string, windowSeconds: number, by: number): Counted
  count(name: string): Counted
  /** Removes up to `limit` counters whose window ended before `time`; how many there were. */
  sweep(time: number, limit: number): number
}

export function createCounters(database: Database, now: () => number): Counters {
  const find = database.prepare('SELECT count, until FROM counter WHERE name = ? AND until > ?')
  const write = database.prepare('INSERT OR REPLACE INTO counter (name, count, until) VALUES (?, ?, ?)')
  const sweep = database.prepare('DELETE FROM counter WHERE name IN (SELECT name FROM counter WHERE until < ? LIMIT ?)')

  const row = (name: string) => find.get(name, now()) as unknown as { count: number; until: number } | undefined
  const counted = (count: number, until: number): Counted => ({
    count,
    resetSeconds: Math.ceil((until - now()) / 1000),
  })

  return {
    increment(name, windowSeconds, by) {
      const before = row(name)
      const count = (before?.count ?? 0) + by
      const until = before?.until ?? now() + windowSeconds * 1000
      write.run(name, count, until)
      return counted(count, until)
    },
    count(name) {
      const found = row(name)
      return found ? counted(found.count, found.until) : { count: 0, resetSeconds: 0 }
    },
    sweep: (time, limit) => Number(sweep.run(time, limit).changes),
  }
}
