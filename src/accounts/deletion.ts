/**
 * Leaving: an account asks to be deleted and is dead at once for everybody (status, epoch); its owner can take it back by a link until the
 * operator's delay has passed; then everything held about it is removed. What others hold (grants, keys, sessions …) they remove themselves,
 * each under its name in `removers`. A process that dies half-way leaves the account due, and the next sweep finishes.
 */
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import type { AccountRecord } from './account.ts'
import { missing, stamped } from './apply.ts'
import { leaveAdministration, withoutMark } from './last-administrator.ts'
import { gone, type OneTimes } from './one-time.ts'
import type { Receiver } from './verification.ts'

interface Mails {
  leaving(to: Receiver, mail: { readonly path: string; readonly leavesAt: number }): Promise<void>
}

/** Removes all that one part of the server holds about an account; may be called again. */
export type Remover = (accountId: string) => Promise<unknown>

export interface Deletion {
  /**
   * Closes the account now; it is removed when the delay has passed. The surface has asked for a recent sign-in and a confirmation, and ends
   * the sessions. @throws not_found, forbidden for the last administrator, conflict when it is leaving or disabled already
   */
  ask(caller: Caller, accountId: string): Promise<{ readonly leavesAt: number }>
  /** Consumes nothing. @throws gone */
  openLink(token: string): Promise<{ readonly email: string; readonly leavesAt: number }>
  /** Takes it back: the account is as it was, signed out everywhere. @throws gone */
  keep(caller: Caller, token: string): Promise<void>
  /** Takes it back for the owner. For operators. @throws not_found, conflict when the account is not leaving */
  keepFor(caller: Caller, accountId: string): Promise<void>
  /** Removes every account whose delay has passed; the number removed. For a loop of the composition root. */
  sweep(): Promise<number>
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly oneTimes: OneTimes
  readonly mails: Mails
  readonly delaySeconds: number
  readonly removers: Readonly<Record<string, Remover>>
}

export function createDeletion(dependencies: Dependencies): Deletion {
  const { store, audit, now, oneTimes, mails, delaySeconds } = dependencies
  const keep = async (caller: Caller, accountId: string, refuse: () => Error) => {
    await audit.record(caller, { event: 'account.kept', accountId, subject: accountId }, async () => {
      const { entry } = await store.update<AccountRecord>('account', accountId, (record) => {
        if (record.status !== 'leaving') throw refuse()
        const { leavesAt: _at, departure: _departure, ...rest } = withoutMark(record)
        return { value: stamped((kept) => ({ ...kept, status: 'active', epoch: kept.epoch + 1 }), now)(rest) }
      })
      if (!entry) missing()
    })
    await oneTimes.endAll(accountId)
  }
  return {
    async ask(caller, accountId) {
      const leavesAt = now() + delaySeconds * 1000
      const details = { leaves_at: new Date(leavesAt).toISOString() }
      const close = (record: AccountRecord): AccountRecord => {
        if (record.status !== 'active') throw new AppError('conflict', 'This account is closed already.')
        return { ...record, status: 'leaving', leavesAt, departure: 'asked', epoch: record.epoch + 1 }
      }
      const entry = { event: 'account.leaving', accountId, subject: accountId, details }
      const { value } = await audit.record(
        caller,
        entry,
        async () => (await leaveAdministration({ store, now }, accountId, stamped(close, now))) ?? missing(),
      )
      // Whatever waits for the account would open nothing; the link that keeps it is made after.
      await oneTimes.endAll(accountId)
      const ttlSeconds = Math.max(delaySeconds, 1)
      const issued = await oneTimes.issue('keep_account', {
        accountId,
        detail: { email: value.email, leavesAt },
        ttlSeconds,
      })
      await mails.leaving(value, { path: issued.path, leavesAt })
      return { leavesAt }
    },
    async openLink(token) {
      const { detail } = await oneTimes.open('keep_account', token)
      return { email: String(detail['email']), leavesAt: Number(detail['leavesAt']) }
    },
    async keep(caller, token) {
      const { accountId } = await oneTimes.takeByToken('keep_account', token)
      if (accountId === undefined) throw gone()
      await keep(caller, accountId, gone)
    },
    keepFor: (caller, accountId) =>
      keep(caller, accountId, () => new AppError('conflict', 'This account is not about to be deleted.')),
    sweep: () => sweep(dependencies),
  }
}

async function sweep(dependencies: Dependencies): Promise<number> {
  const { store, now } = dependencies
  let removed = 0
  let cursor: string | undefined
  do {
    const page = await store.list<AccountRecord>('account', {
      group: 'departure',
      value: 'asked',
      limit: 100,
      ...(cursor ? { cursor } : {}),
    })
    for (const { id, value } of page.items) {
      if (value.status !== 'leaving' || (value.leavesAt ?? Number.POSITIVE_INFINITY) > now()) continue
      if (await removeAll(dependencies, id)) removed += 1
    }
    cursor = page.nextCursor
  } while (cursor)
  return removed
}

/** The account itself goes last: until then a crash leaves it due. True when this call removed it. */
async function removeAll({ store, audit, removers, oneTimes }: Dependencies, accountId: string): Promise<boolean> {
  for (const remove of Object.values(removers)) await remove(accountId)
  await store.remove('factors', accountId)
  await store.remove('picture', accountId)
  await store.removeGroup('device', 'accountId', accountId)
  await oneTimes.endAll(accountId)
  if (!(await store.remove('account', accountId))) return false
  await audit.note({ kind: 'system' }, { event: 'account.removed', outcome: 'done', accountId, subject: accountId })
  return true
}
