/**
 * Whether a key may do what it asks: one pure rule, used by `check` and by `explain`, so that they cannot disagree. It knows the key, its
 * ancestors, the owner as they are now and the policy; it counts nothing, writes nothing and reads no clock.
 */
import type { KeyRecord } from './key.ts'
import { admittingNetwork } from './networks.ts'
import type { SecretUse } from './secret.ts'

/** The owner as the keys need to know it. */
export interface Owner {
  readonly id: string
  readonly status: 'active' | 'disabled' | 'leaving'
  readonly role: 'member' | 'administrator'
  readonly email: string
  readonly emailVerified: boolean
  readonly locale?: string
}

/** What the operator allows keys. */
export interface KeyPolicy {
  /** Every scope there is. */
  readonly scopes: Readonly<Record<string, { readonly access: 'read' | 'write' | 'admin' }>>
  /** Those keys may hold; absent: every one but `api:admin`. */
  readonly allowedScopes?: readonly string[] | undefined
  /** Every resource and the scopes it owns. */
  readonly resources: readonly { readonly identifier: string; readonly scopes: readonly string[] }[]
  readonly defaultLifetimeSeconds: number
  readonly maxLifetimeSeconds: number
}

/** Every cause of a refusal that the rule knows, and what it is outside: the wire tells no more than that. */
export const denialReasons = {
  rotated_out: 'invalid_token',
  revoked: 'invalid_token',
  parent_revoked: 'invalid_token',
  parent_expired: 'invalid_token',
  account_disabled: 'invalid_token',
  account_unverified: 'invalid_token',
  not_yet_valid: 'invalid_token',
  expired: 'invalid_token',
  ip_not_allowed: 'invalid_token',
  audience_mismatch: 'invalid_token',
  scope_missing: 'insufficient_scope',
  scope_beyond_owner: 'insufficient_scope',
  scope_beyond_policy: 'insufficient_scope',
} as const

export type DecidedReason = keyof typeof denialReasons

/** Everything the rule looks at besides the request. An ancestor that is gone is undefined. */
export interface Standing {
  readonly key: KeyRecord
  readonly use: SecretUse
  readonly ancestors: readonly (KeyRecord | undefined)[]
  readonly owner: Owner | undefined
}

export interface Asked {
  readonly ip: string
  /** The resource the key is used at; absent where it does not matter. */
  readonly audience?: string
  /** All of them are needed. */
  readonly scopes?: readonly string[]
  /** A key that holds no scope of that resource is refused: it has nothing to do there. */
  readonly mustHoldSome?: true
}

export type Decision =
  | { readonly allowed: true; readonly scopes: readonly string[] }
  | {
      readonly allowed: false
      readonly reason: DecidedReason
      /** The scopes that are missing, or the resource, or the address. */
      readonly detail?: string
      /** The one scope that the owner may lift this token to. */
      readonly elevation?: string
    }

const deny = (reason: DecidedReason, detail?: string): Decision => ({
  allowed: false,
  reason,
  ...(detail === undefined ? {} : { detail }),
})

/** Each check may refuse; the first that does is the cause. */
const checks: readonly ((standing: Standing, asked: Asked, at: number) => Decision | undefined)[] = [
  ({ key, use }, _asked, at) => {
    const isOver = use === 'retired' || (use === 'old' && (key.old?.endsAt ?? 0) <= at)
    return isOver ? deny('rotated_out') : undefined
  },
  ({ key }) => (key.revoked ? deny('revoked', key.revoked.reason) : undefined),
  // A child inherits every end of its ancestors at once; one that is gone has ended.
  ({ ancestors }) => (ancestors.some((one) => !one || one.revoked) ? deny('parent_revoked') : undefined),
  ({ ancestors }, _asked, at) =>
    ancestors.some((one) => !one || one.expiresAt <= at) ? deny('parent_expired') : undefined,
  ({ owner }) => (owner?.status === 'active' ? undefined : deny('account_disabled')),
  ({ owner }) => (owner?.emailVerified ? undefined : deny('account_unverified')),
  ({ key, ancestors }, _asked, at) =>
    [key, ...ancestors].some((one) => (one?.notBefore ?? 0) > at) ? deny('not_yet_valid') : undefined,
  ({ key }, _asked, at) => (key.expiresAt <= at ? deny('expired') : undefined),
  ({ key, ancestors }, { ip }) => {
    const isAdmitted = (one: KeyRecord | undefined) => !one || isAllowedFrom(one, ip)
    return [key, ...ancestors].every(isAdmitted) ? undefined : deny('ip_not_allowed', ip)
  },
]

/** Whether the standing allows what is asked at that moment (milliseconds since 1970), with the effective scopes or the exact cause. */
export function decide(standing: Standing, asked: Asked, policy: KeyPolicy, at: number): Decision {
  for (const check of checks) {
    const refused = check(standing, asked, at)
    if (refused) return refused
  }
  const owned = scopesAt(standing, asked.audience, policy)
  if (!owned) return deny('audience_mismatch', asked.audience)
  const scopes = effectiveScopes(standing, policy, at).filter((scope) => owned.includes(scope))
  const missing = (asked.scopes ?? []).filter((scope) => !scopes.includes(scope))
  if (missing.length > 0) return denyScopes(standing, missing, owned, policy)
  if (asked.mustHoldSome && scopes.length === 0) return deny('audience_mismatch', asked.audience)
  return { allowed: true, scopes }
}

/** The scopes that count at that resource; undefined when the key, or the server, does not know it. */
function scopesAt({ key, ancestors }: Standing, audience: string | undefined, policy: KeyPolicy) {
  const bound = [key, ...ancestors].flatMap((one) => one?.resource ?? [])
  const place = audience ?? bound[0]
  if (bound.some((resource) => resource !== place)) return undefined
  if (place === undefined) return Object.keys(policy.scopes)
  return policy.resources.find(({ identifier }) => identifier === place)?.scopes
}

/** Scopes of the key ∩ those of its ancestors ∩ what the owner may do now ∩ what keys may hold. */
function effectiveScopes({ key, use, ancestors, owner }: Standing, policy: KeyPolicy, at: number): readonly string[] {
  const isHeld = (scope: string) => ancestors.every((one) => one?.scopes.includes(scope))
  const held = key.scopes.filter(isHeld)
  const { elevation } = key
  // Only a root can be lifted, since a child would hold what its root lacks; and only for the secret it was asked with.
  const isLifted =
    use === 'current' && elevation && elevation.until > at && elevation.secretNumber === key.current.number
  const lifted = isLifted && ancestors.length === 0 && !held.includes(elevation.scope) ? [elevation.scope] : []
  return [...held, ...lifted].filter((scope) => barrierTo(scope, owner, policy) === undefined)
}

function denyScopes(
  { key, use, owner }: Standing,
  missing: readonly string[],
  owned: readonly string[],
  policy: KeyPolicy,
): Decision {
  const detail = missing.join(' ')
  const barriers = missing.map((scope) => barrierTo(scope, owner, policy))
  const barrier = barriers.find((one) => one !== undefined)
  if (barrier) return deny(barrier, detail)
  const [scope] = missing
  const isRootToken = key.kind === 'personal_access_token' && key.ancestors.length === 0
  const isLiftable = isRootToken && use === 'current' && missing.length === 1
  const elevation = isLiftable && scope !== undefined && owned.includes(scope) ? { elevation: scope } : {}
  return { allowed: false, reason: 'scope_missing', detail, ...elevation }
}

/** Why nobody, or not this owner, may hold the scope in a key now; undefined when nothing stands against it. */
export function barrierTo(scope: string, owner: Owner | undefined, policy: KeyPolicy): DecidedReason | undefined {
  const rule = Object.hasOwn(policy.scopes, scope) ? policy.scopes[scope] : undefined
  const isOpen = policy.allowedScopes?.includes(scope) ?? scope !== 'api:admin'
  if (!rule || !isOpen) return 'scope_beyond_policy'
  return rule.access === 'admin' && owner?.role !== 'administrator' ? 'scope_beyond_owner' : undefined
}

function isAllowedFrom({ allowedIps }: KeyRecord, ip: string): boolean {
  return allowedIps.length === 0 || admittingNetwork(ip, allowedIps) !== undefined
}
