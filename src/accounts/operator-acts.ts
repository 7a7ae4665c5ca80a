/**
 * What an operator may do to the account of somebody else: change it, close and open it, sign it out, take its second factors away. Each act is noted
 * with who did it and why (`Caller.reason`); what ended is gone from the store as well, not only refused. Making accounts is left to `accounts.ts`,
 * inviting to `sign-up.ts`.
 */
import { takeAttributes } from '../attributes.ts'
import type { Caller } from '../observability/audit.ts'
import type { Account, Role } from './account.ts'
import type { Accounts } from './accounts.ts'
import type { Factors } from './factors.ts'
import { type AccountChange, takeChange } from './fields.ts'

export interface OperatorChange extends Omit<AccountChange, 'attributes'> {
  readonly role?: Role
  /** Replaces all. */
  readonly attributes?: unknown
  /** The operator vouches for the address. */
  readonly emailVerified?: true
}

export interface OperatorActs {
  /**
   * Everything is judged before anything is written.
   * @throws invalid_request, not_found, forbidden for the role of the last administrator
   */
  change(caller: Caller, id: string, wanted: OperatorChange): Promise<Account>
  /** @throws not_found, forbidden for the last administrator */
  disable(caller: Caller, id: string): Promise<Account>
  /** @throws not_found */
  enable(caller: Caller, id: string): Promise<Account>
  /** @throws not_found */
  signOut(caller: Caller, id: string): Promise<Account>
  /** @throws not_found */
  resetFactors(caller: Caller, id: string): Promise<Account>
}

interface Dependencies {
  readonly accounts: Pick<
    Accounts,
    | 'getById'
    | 'change'
    | 'setRole'
    | 'setAttributes'
    | 'markEmailVerified'
    | 'disable'
    | 'enable'
    | 'signOutEverywhere'
  >
  readonly factors: Pick<Factors, 'reset'>
  /** Removes the sessions, families and waiting interactions of an account that are dead by its epoch already. */
  readonly endAll: (accountId: string) => Promise<void>
}

export function createOperatorActs({ accounts, factors, endAll }: Dependencies): OperatorActs {
  const ending = async (act: Promise<Account>): Promise<Account> => {
    const account = await act
    await endAll(account.id)
    return account
  }
  return {
    async change(caller, id, { role, attributes, emailVerified, ...fields }) {
      takeChange(fields)
      if (attributes !== undefined) takeAttributes(attributes, '/attributes')
      let account = await accounts.getById(id)
      // The one that may be refused comes first.
      if (role && role !== account.role) {
        const changing = accounts.setRole(caller, id, role)
        account = await (role === 'member' ? ending(changing) : changing)
      }
      if (attributes !== undefined) account = await accounts.setAttributes(caller, id, attributes)
      if (Object.keys(fields).length > 0) account = await accounts.change(caller, id, fields)
      if (emailVerified && !account.emailVerified) account = await accounts.markEmailVerified(caller, id)
      return account
    },
    disable: (caller, id) => ending(accounts.disable(caller, id, caller.reason)),
    enable: (caller, id) => accounts.enable(caller, id),
    signOut: (caller, id) => ending(accounts.signOutEverywhere(caller, id)),
    resetFactors: (caller, id) => ending(factors.reset(caller, id, caller.reason ?? '')),
  }
}
