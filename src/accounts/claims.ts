/**
 * Which OpenID Connect claims a scope opens, and where their values come from (OpenID Connect Core §5.4).
 * Custom claims and who may see which token are decided in `oidc/`.
 */
import type { Account } from './account.ts'

type Claim = (account: Account) => string | number | boolean | undefined

/** Scope → claim → value. A claim without a value is left out. */
const claimsByScope: Readonly<Record<string, Readonly<Record<string, Claim>>>> = {
  openid: { sub: (account) => account.id },
  profile: {
    name: (account) => account.name,
    picture: (account) => account.picture,
    locale: (account) => account.locale,
    updated_at: (account) => Math.floor(account.updatedAt / 1000),
  },
  email: {
    email: (account) => account.email,
    email_verified: (account) => account.emailVerified,
  },
}

/** Scope → names of its claims: what the protocol engine and discovery publish. */
export const claimNamesByScope: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(claimsByScope).map(([scope, claims]) => [scope, Object.keys(claims)]),
)

/** The claims about `account` that `scopes` open together; unknown scopes open nothing. */
export function accountClaims(account: Account, scopes: Iterable<string>): Record<string, string | number | boolean> {
  const opened: Record<string, string | number | boolean> = {}
  for (const scope of scopes) {
    for (const [name, read] of Object.entries(
      Object.hasOwn(claimsByScope, scope) ? (claimsByScope[scope] ?? {}) : {},
    )) {
      const value = read(account)
      if (value !== undefined) opened[name] = value
    }
  }
  return opened
}
