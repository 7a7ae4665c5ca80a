/**
 * Keeps one administrator: whatever takes the role or the account from one goes through here, also in parallel (threats.md RC8).
 * The store changes one entry at a time, so leaving takes three steps: the account marks itself as leaving; it looks for another
 * active administrator who is not leaving; then it goes, if its own mark still stands. Of two who leave at once the later mark sees
 * the earlier one, so at least one stays; both may be refused and can try again. A mark left by a crash counts for nothing after a
 * minute, and a step that took more than half of that is not finished. What is taken away is the caller's to say.
 */
import { AppError } from '../errors.ts'
import { randomId } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { type AccountRecord, isAdministrator } from './account.ts'

const MARK_COUNTS_MS = 60_000
const MARK_HOLDS_MS = 30_000

type Next = (record: AccountRecord) => AccountRecord

/**
 * Applies `next` to the account, which may cost it its administration; an account that administers nothing just changes.
 * Undefined when there is no such account. @throws forbidden for the last administrator, conflict when somebody changed it meanwhile.
 */
export async function leaveAdministration(
  { store, now }: { store: Store; now: () => number },
  id: string,
  next: Next,
): Promise<Stored<AccountRecord> | undefined> {
  const mark = randomId(16)
  const first = await store.update<AccountRecord>('account', id, (record) => ({
    value: isAdministrator(record) ? { ...record, leaving: { mark, at: now() } } : next(record),
  }))
  if (first.entry?.value.leaving?.mark !== mark) return first.entry
  if (!(await anotherAdministrator(store, id, now))) {
    await store.update<AccountRecord>('account', id, (record) =>
      record.leaving?.mark === mark ? { value: withoutMark(record) } : undefined,
    )
    throw new AppError('forbidden', 'The last administrator cannot be disabled, demoted or removed.')
  }
  const last = await store.update<AccountRecord>('account', id, (record) =>
    record.leaving?.mark === mark && now() - record.leaving.at < MARK_HOLDS_MS
      ? { value: next(withoutMark(record)) }
      : undefined,
  )
  if (!last.changed) throw new AppError('conflict', 'Somebody changed this account at the same moment. Try again.')
  return last.entry
}

/** The record as one that stays: what gives the role or the account back also ends every attempt to take it away. */
export function withoutMark({ leaving: _leaving, ...record }: AccountRecord): AccountRecord {
  return record
}

async function anotherAdministrator(store: Store, id: string, now: () => number): Promise<boolean> {
  let cursor: string | undefined
  do {
    const page = await store.list<AccountRecord>('account', {
      group: 'role',
      value: 'administrator',
      limit: 200,
      ...(cursor ? { cursor } : {}),
    })
    if (page.items.some((entry) => entry.id !== id && stays(entry.value, now()))) return true
    cursor = page.nextCursor
  } while (cursor)
  return false
}

function stays(record: AccountRecord, at: number): boolean {
  return isAdministrator(record) && (!record.leaving || at - record.leaving.at > MARK_COUNTS_MS)
}
