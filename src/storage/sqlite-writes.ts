/**
 * Group commit: the writes of one turn of the event loop share one transaction, and with it one wait for the disk.
 * Each write has an outcome of its own (a savepoint): one that is refused undoes itself and nobody else.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { unavailable } from './entry.ts'
import { type Database, isBusy, sqliteCode } from './sqlite-database.ts'

/** More than this in one transaction would keep readers of the result waiting. */
const largestBatch = 1000
/**
 * For how long the write lock is asked for; an attempt waits up to 50 ms inside SQLite and 10 ms outside. Once it is over the next
 * write has one attempt, until one succeeds: a request of several writes must not wait as often.
 */
const lockPatienceMs = 1100

interface Pending {
  readonly job: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

type Outcome = { readonly value: unknown } | { readonly error: unknown }

export interface Writes {
  /**
   * Runs `job` alone inside a transaction and answers with what it returned once the transaction is committed.
   * What `job` throws undoes what it wrote. @throws AppError `store_unavailable` when the transaction did not commit.
   */
  run<T>(job: () => T): Promise<T>
  /** Commits what is waiting; nothing is accepted afterwards. */
  close(): Promise<void>
}

export function createWrites(database: Database): Writes {
  const step = (sql: string): (() => void) => {
    const statement = database.prepare(sql)
    return () => void statement.run()
  }
  const begin = step('BEGIN IMMEDIATE')
  const commit = step('COMMIT')
  const rollback = step('ROLLBACK')
  const savepoint = step('SAVEPOINT job')
  const release = step('RELEASE job')
  const undo = step('ROLLBACK TO job')

  const waiting: Pending[] = []
  let writing: Promise<void> | undefined
  let closed = false
  /** Since when every attempt to get the lock has failed. */
  let missingSince: number | undefined

  function runOne(job: () => unknown): Outcome {
    savepoint()
    try {
      const value = job()
      release()
      return { value }
    } catch (error) {
      // An error of SQLite itself (disk full, input or output) ends the whole transaction.
      if (sqliteCode(error) !== undefined) throw error
      undo()
      release()
      return { error }
    }
  }

  function commitBatch(batch: readonly Pending[]): void {
    let outcomes: Outcome[]
    try {
      outcomes = batch.map(({ job }) => runOne(job))
      commit()
    } catch (error) {
      if (database.isTransaction) rollback()
      for (const { reject } of batch) reject(unavailable(error))
      return
    }
    outcomes.forEach((outcome, index) => {
      if ('value' in outcome) batch[index]?.resolve(outcome.value)
      else batch[index]?.reject(outcome.error)
    })
  }

  async function lock(): Promise<void> {
    for (;;) {
      const asked = performance.now()
      try {
        begin()
        missingSince = undefined
        return
      } catch (error) {
        missingSince ??= asked
        if (!isBusy(error) || performance.now() - missingSince >= lockPatienceMs) throw unavailable(error)
        await pause(10)
      }
    }
  }

  async function writeAll(): Promise<void> {
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      try {
        await lock()
      } catch (error) {
        for (const { reject } of waiting.splice(0)) reject(error)
        break
      }
      commitBatch(waiting.splice(0, largestBatch))
    }
    writing = undefined
  }

  return {
    run<T>(job: () => T) {
      if (closed) return Promise.reject(unavailable(new Error('the store is closed')))
      return new Promise<T>((resolve, reject) => {
        waiting.push({ job, resolve: resolve as Pending['resolve'], reject })
        writing ??= writeAll()
      })
    },
    async close() {
      closed = true
      await writing
    },
  }
}
