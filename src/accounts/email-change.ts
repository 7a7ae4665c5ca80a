/**
 * Another address for an account: confirmed at the new one, announced at the old one. The confirmation counts only from somebody who is signed
 * in as the account: a mistyped address must not hand the account to whoever reads it. An address that is taken looks like a free one
 * (threats.md LG2). Asking needs a recent sign-in, which the surface sees to.
 */
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import { createApply } from './apply.ts'
import { readEmail } from './email.ts'
import type { MailWithinLimit } from './mail-limit.ts'
import { gone, type OneTime, type OneTimes, resendAt } from './one-time.ts'
import type { CodeMail, CodeTried, MailChallenge, Receiver } from './verification.ts'

interface Mails {
  changeEmail(to: Receiver, mail: CodeMail): Promise<void>
  /** The address somebody wants to move to belongs to another account. */
  changeEmailKnown(to: Receiver): Promise<void>
  /** To the old address, after the change. */
  emailChanged(to: Receiver, change: { readonly newEmail: string }, from: Caller): Promise<void>
}

export type ChangeTried =
  | { readonly kind: 'proven'; readonly account: Account }
  | Exclude<CodeTried, { kind: 'proven' }>

export interface EmailChange {
  /** Sends a mail to the new address. @throws invalid_request */
  ask(account: Account, newEmail: string): Promise<MailChallenge>
  /** `accountId` is who is signed in. @throws gone, also when the address got an account meanwhile */
  confirmByCode(caller: Caller, accountId: string, handle: string, code: string): Promise<ChangeTried>
  /** Consumes nothing. @throws gone */
  openLink(token: string): Promise<{ readonly accountId?: string; readonly email: string }>
  /** @throws gone, forbidden when another account or nobody is signed in (the link stays alive then) */
  confirmByLink(caller: Caller, accountId: string, token: string): Promise<Account>
}

const TTL_SECONDS = 3600

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly accounts: Accounts
  readonly oneTimes: OneTimes
  readonly mails: Mails
  readonly mailWithinLimit: MailWithinLimit
}

export function createEmailChange(dependencies: Dependencies): EmailChange {
  const { accounts, oneTimes, mails, mailWithinLimit } = dependencies

  return {
    async ask(account, typed) {
      const address = readEmail(typed)
      if (!address) {
        const fields = [{ pointer: '/email', code: 'malformed', detail: 'Give an e-mail address.' }]
        throw new AppError('invalid_request', 'Give an e-mail address.', { details: { fields } })
      }
      const known = await accounts.findByEmail(address.address)
      const isTaken = known !== undefined && known.id !== account.id
      await oneTimes.endAll(account.id, ['change_email'])
      const detail = { email: address.address, epoch: account.epoch, taken: isTaken ? 1 : 0 }
      const issued = await oneTimes.issue('change_email', { accountId: account.id, detail, ttlSeconds: TTL_SECONDS })
      const to = { email: isTaken ? known.email : address.address, locale: (isTaken ? known : account).locale }
      await mailWithinLimit('change_email', address.key, () =>
        isTaken ? mails.changeEmailKnown(to) : mails.changeEmail(to, issued),
      )
      const about = await oneTimes.look('change_email', issued.handle)
      return { handle: issued.handle, email: address.address, resendAt: resendAt(about), expiresAt: issued.expiresAt }
    },
    async confirmByCode(caller, accountId, handle, code) {
      const waiting = await oneTimes.look('change_email', handle)
      if (waiting.accountId !== accountId) throw gone()
      const about = await oneTimes.takeByCode('change_email', handle, code)
      if (typeof about === 'string') return { kind: about }
      return { kind: 'proven', account: await move(dependencies, caller, about) }
    },
    async openLink(token) {
      const { accountId, detail } = await oneTimes.open('change_email', token)
      return { ...(accountId === undefined ? {} : { accountId }), email: String(detail['email']) }
    },
    async confirmByLink(caller, accountId, token) {
      const waiting = await oneTimes.open('change_email', token)
      if (waiting.accountId !== accountId)
        throw new AppError('forbidden', 'Sign in with the account whose address changes.')
      return move(dependencies, caller, await oneTimes.takeByToken('change_email', token))
    },
  }
}

async function move(dependencies: Dependencies, caller: Caller, about: OneTime): Promise<Account> {
  const { oneTimes, mails } = dependencies
  const { accountId = '', detail } = about
  const address = readEmail(String(detail['email']))
  if (!address || detail['taken'] === 1) throw gone()
  let before: Receiver | undefined
  const account = await createApply(dependencies)(caller, 'account.email_changed', accountId, (record) => {
    if (record.status !== 'active' || record.epoch !== detail['epoch']) throw gone()
    before = { email: record.email, locale: record.locale }
    return { ...record, email: address.address, emailKey: address.key, emailVerified: true }
  }).catch((error: unknown) => {
    throw hasCode(error, 'conflict') ? gone() : error
  })
  // Whatever was sent to the old address opens nothing any more (threats.md LG8).
  await oneTimes.endAll(accountId)
  if (before) await mails.emailChanged(before, { newEmail: account.email }, caller)
  return account
}
