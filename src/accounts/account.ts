/**
 * What an account is: as it is stored, and as the rest of the server sees it. The password's digest is in the first only, so that
 * no page, log or token can hold it by accident. What may be done to an account stands in `accounts.ts`.
 */
import type { Attributes } from '../attributes.ts'
import type { Stored } from '../storage/store.ts'

export type AccountId = string & { readonly brand: 'AccountId' }
export type Role = 'member' | 'administrator'

/** Times are milliseconds since 1970. */
interface AccountFields {
  /** Where mail goes: canonical, the domain in ASCII. */
  readonly email: string
  readonly emailVerified: boolean
  readonly name: string
  /** BCP 47. */
  readonly locale?: string
  readonly picture?: string
  readonly role: Role
  /** `leaving`: its owner wants it deleted; dead for everybody, and removed at `leavesAt`. */
  readonly status: 'active' | 'disabled' | 'leaving'
  readonly leavesAt?: number
  readonly disabledReason?: string
  readonly attributes: Attributes
  /** Rises with every sign-out everywhere, disabling and change of password: sessions and grants of an older epoch are dead. */
  readonly epoch: number
  /** When the epoch last rose, in milliseconds since 1970: what an earlier sign-in obtained is dead. */
  readonly signedOutAt?: number
  readonly createdAt: number
  /** When something that others may read of the account last changed. */
  readonly updatedAt: number
}

/** The stored value of kind `account`. */
export interface AccountRecord extends AccountFields {
  /** Unique: equal for all spellings of one address. */
  readonly emailKey: string
  /** PHC string; absent when the account has no password. */
  readonly passwordDigest?: string
  /** Group of the accounts that are leaving; absent for all others. */
  readonly departure?: 'asked'
  /** Set while somebody tries to take the administrator's role or the account away; see `last-administrator.ts`. */
  readonly leaving?: { readonly mark: string; readonly at: number }
}

export interface Account extends AccountFields {
  readonly id: AccountId
  readonly hasPassword: boolean
}

/** The account without what is nobody's business. */
export function toAccount({ id, value }: Stored<AccountRecord>): Account {
  const { emailKey: _key, passwordDigest, leaving: _leaving, departure: _departure, ...fields } = value
  return { ...fields, id: id as AccountId, hasPassword: passwordDigest !== undefined }
}

/** True for an account that may administer now. */
export function isAdministrator(account: Pick<Account, 'role' | 'status'>): boolean {
  return account.role === 'administrator' && account.status === 'active'
}

/**
 * The second in which a sign-in begun at `now` (milliseconds) happened, since 1970: never the second of a sign-out everywhere, so that seconds tell
 * what came before it from what came after.
 */
export function signInSecond({ signedOutAt = 0 }: Pick<Account, 'signedOutAt'>, now: number): number {
  return Math.max(Math.floor(now / 1000), Math.floor(signedOutAt / 1000) + 1)
}
