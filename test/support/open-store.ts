/**
 * A real SQLite store in a directory of its own, with a clock the test moves, closed and removed when the test ends.
 * Cheap password cost and a vault of a fixed secret, for suites about something else.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createPasswords } from '../../src/accounts/password.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { createVault } from '../../src/secrets.ts'
import { openSqliteStore } from '../../src/storage/sqlite.ts'

export const cheapCost = { memoryKiB: 64, passes: 2 }
export const operator = { kind: 'operator' } as const

/** Store, audit, vault, passwords, and a clock that stands still until `pass` moves it. */
export function openTestStore(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'licet-test-'))
  let time = Date.UTC(2026, 0, 1)
  const now = () => time
  const path = join(directory, 'store.db')
  const store = openSqliteStore(path, { now })
  const others = new Set<{ close(): Promise<void> }>()
  t.after(async () => {
    for (const open of [...others, store]) await open.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return {
    directory,
    path,
    store,
    now,
    pass: (milliseconds: number) => {
      time += milliseconds
    },
    audit: createAudit({ store, now }),
    vault: createVault(['a root secret of the tests, long enough']),
    passwords: createPasswords({ cost: cheapCost, threads: 4, queueLimit: 500 }),
    /** A further connection to the same files, as another process would have. */
    openAnother: () => {
      const other = openSqliteStore(path, { now })
      others.add(other)
      return other
    },
  }
}
