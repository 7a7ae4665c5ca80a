/**
 * An account as the command line and the administration API show it: names of the wire, times as ISO 8601.
 * What tokens and userinfo say of a person stands in `claims.ts`.
 */
import type { Account } from './account.ts'

/** Everything an operator may see; there is no secret in an `Account`. */
export function describeAccount(account: Account) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString()
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerified,
    name: account.name,
    locale: account.locale ?? null,
    role: account.role,
    status: account.status,
    disabled_reason: account.disabledReason ?? null,
    has_password: account.hasPassword,
    attributes: account.attributes,
    created_at: at(account.createdAt),
    updated_at: at(account.updatedAt),
  }
}

/** What a page shows of an account: whose it is, and nothing that apps or other people could not see. */
export function shownAccount({ email, name, picture }: Account): { email: string; name?: string; picture?: string } {
  return { email, ...(name ? { name } : {}), ...(picture ? { picture } : {}) }
}
