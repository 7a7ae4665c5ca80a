/**
 * A person's new password: set, told to the owner by mail, and whatever links were waiting for the account are dead. Proving who asks (a recent
 * sign-in) and ending the other sessions is left to the surface; a forgotten password is `recovery.ts`.
 */
import type { Caller } from '../observability/audit.ts'
import type { Accounts } from './accounts.ts'
import type { OneTimes } from './one-time.ts'
import type { Receiver } from './verification.ts'

interface Dependencies {
  readonly accounts: Pick<Accounts, 'setPassword'>
  readonly oneTimes: Pick<OneTimes, 'endAll'>
  readonly mails: { passwordChanged(to: Receiver, from: Caller): Promise<void> }
}

/** `Accounts.setPassword` with what a person may expect around it. Raises the epoch. @throws as that */
export function createPasswordChange({ accounts, oneTimes, mails }: Dependencies): Pick<Accounts, 'setPassword'> {
  return {
    async setPassword(caller, id, password) {
      const account = await accounts.setPassword(caller, id, password)
      await oneTimes.endAll(id)
      await mails.passwordChanged(account, caller)
      return account
    },
  }
}
