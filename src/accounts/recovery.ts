/**
 * A forgotten password: a link by mail, for one use, 30 minutes, bound to the account, its address and this purpose (threats.md LG8). It
 * proves the mailbox and nothing more: the second factor is still asked at the sign-in that follows (LG9). Asking looks the same for every
 * address (LG2).
 */
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import { createApply } from './apply.ts'
import { readEmail } from './email.ts'
import type { FactorRecords } from './factor-record.ts'
import type { MailWithinLimit } from './mail-limit.ts'
import { gone, type OneTime, type OneTimes } from './one-time.ts'
import type { Passwords } from './password.ts'
import type { CodeMail, Receiver } from './verification.ts'

interface Mails {
  recover(to: Receiver, mail: Pick<CodeMail, 'path' | 'expiresAt'>): Promise<void>
  /** The address has no account that can be recovered. */
  recoverUnknown(to: Receiver): Promise<void>
  passwordChanged(to: Receiver, from: Caller): Promise<void>
}

export interface Recovery {
  /** Always ends the same way, after the same work; nothing is learned about the address. */
  ask(caller: Caller, email: string, locale?: string): Promise<void>
  /** Consumes nothing: scanners open links. @throws gone */
  open(token: string): Promise<{ readonly email: string; readonly expiresAt: number }>
  /**
   * The new password. Every session, grant and further link of the account is dead; nobody is signed in by it: the sign-in that follows asks
   * for the second factor. @throws gone, invalid_request as `Passwords.hash` (the link stays alive then), overloaded
   */
  finish(caller: Caller, token: string, password: string): Promise<Account>
}

const TTL_SECONDS = 30 * 60

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly accounts: Accounts
  readonly passwords: Passwords
  readonly records: FactorRecords
  readonly oneTimes: OneTimes
  readonly mails: Mails
  readonly mailWithinLimit: MailWithinLimit
}

export function createRecovery(dependencies: Dependencies): Recovery {
  const { accounts, audit, oneTimes, passwords, records, mails, mailWithinLimit } = dependencies
  const apply = createApply(dependencies)

  /** The account the link is for, as it stands now. */
  const accountOf = async ({ accountId, detail }: OneTime): Promise<Account> => {
    const account = accountId === undefined ? undefined : await accounts.find(accountId)
    const stands = account?.status === 'active' && account.epoch === detail['epoch']
    if (!stands || account.email !== detail['email']) throw gone()
    return account
  }

  return {
    async ask(caller, typed, locale) {
      const address = readEmail(typed)
      if (!address) return
      const found = await accounts.findByEmail(address.address)
      const account = found?.status === 'active' ? found : undefined
      const to = account ?? { email: address.address, locale }
      // Mail goes to the account's stored address, never to what was typed: a look-alike spelling must not steal the link.
      const about = account ? { accountId: account.id, detail: { email: account.email, epoch: account.epoch } } : {}
      const issued = await oneTimes.issue('recover', { ...about, ttlSeconds: TTL_SECONDS })
      const accountId = account?.id ?? 'anonymous'
      await audit.note(caller, { event: 'recovery.asked', outcome: account ? 'done' : 'refused', accountId })
      await mailWithinLimit('recover', address.key, () =>
        account ? mails.recover(to, issued) : mails.recoverUnknown(to),
      )
    },
    async open(token) {
      const about = await oneTimes.open('recover', token)
      return { email: (await accountOf(about)).email, expiresAt: about.expiresAt }
    },
    async finish(caller, token, password) {
      const account = await accountOf(await oneTimes.open('recover', token))
      // Hashed first: a password that is refused leaves the link alive.
      const passwordDigest = await passwords.hash(password, [account.email, account.name])
      const about = await oneTimes.takeByToken('recover', token)
      const changed = await apply(caller, 'account.password_reset', account.id, (record) => {
        if (
          record.status !== 'active' ||
          record.email !== about.detail['email'] ||
          record.epoch !== about.detail['epoch']
        )
          throw gone()
        return { ...record, passwordDigest, emailVerified: true, epoch: record.epoch + 1 }
      })
      // Whoever signed up with an address that was not theirs may have left factors behind; a proven owner's stay (LG9).
      if (!account.emailVerified) await records.remove(account.id)
      await oneTimes.endAll(account.id)
      await mails.passwordChanged(changed, caller)
      return changed
    },
  }
}
