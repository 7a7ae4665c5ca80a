/**
 * What happens to an account once its address is proven. Whoever proves it gets an account nobody else can enter: a password or session from
 * before that is not theirs is dropped (pre-hijacking: an attacker signs up with somebody else's address and waits).
 */
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import type { Account } from './account.ts'
import { createApply } from './apply.ts'
import type { FactorRecords } from './factor-record.ts'
import { gone, type OneTimes } from './one-time.ts'

export interface Proof {
  readonly caller: Caller
  readonly accountId: string
  /** The address that was proven; it must still be the account's. */
  readonly email: string
  /** The password of whoever proved it, hashed; absent: the person is signed in with the account's own. */
  readonly passwordDigest?: string
  readonly name?: string
}

/** Marks the address as proven. @throws gone when the account has another address by now. */
export type Prove = (proof: Proof) => Promise<Account>

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly oneTimes: OneTimes
  readonly records: FactorRecords
}

export function createProve(dependencies: Dependencies): Prove {
  const { oneTimes, records } = dependencies
  const apply = createApply(dependencies)
  return async ({ caller, accountId, email, passwordDigest, name }) => {
    let isTaken = false
    const account = await apply(caller, 'account.email_verified', accountId, (record) => {
      // A proven account's password and factors change by recovery alone: a sign-up that waited since before must not skip the second factor.
      const isLate = record.emailVerified && passwordDigest !== undefined
      if (record.email !== email || record.status !== 'active' || isLate) throw gone()
      isTaken = false
      if (passwordDigest === undefined || record.passwordDigest === passwordDigest)
        return { ...record, emailVerified: true }
      isTaken = true
      // The name too: what the stranger wrote would greet the owner.
      const given = name === undefined ? {} : { name }
      return { ...record, ...given, emailVerified: true, passwordDigest, epoch: record.epoch + 1 }
    })
    if (isTaken) await records.remove(accountId)
    await oneTimes.endAll(accountId)
    return account
  }
}
