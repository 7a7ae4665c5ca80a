/**
 * One noted change of one account: who did what stands in the audit, `updatedAt` and the time of a sign-out everywhere follow by themselves.
 * What is changed is the caller's to say.
 */
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import { type Account, type AccountRecord, toAccount } from './account.ts'

export type Next = (record: AccountRecord) => AccountRecord

/** Notes one change of one account and applies it. `next` may throw to refuse. @throws not_found */
export type Apply = (
  caller: Caller,
  event: string,
  id: string,
  next: Next,
  details?: Record<string, string>,
) => Promise<Account>

export function createApply({ store, audit, now }: { store: Store; audit: Audit; now: () => number }): Apply {
  return (caller, event, id, next, details = {}) =>
    audit.record(caller, { event, accountId: id, subject: id, details }, async () => {
      const { entry } = await store.update<AccountRecord>('account', id, (record) => ({
        value: stamped(next, now)(record),
      }))
      return toAccount(entry ?? missing())
    })
}

/** When it changed, and when the epoch rose. */
export const stamped =
  (next: Next, now: () => number): Next =>
  (record) => {
    const changed = next(record)
    return { ...changed, updatedAt: now(), ...(changed.epoch > record.epoch ? { signedOutAt: now() } : {}) }
  }

/** @throws not_found */
export function missing(): never {
  throw new AppError('not_found', 'There is no such account.')
}
