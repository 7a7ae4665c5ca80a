/**
 * A key as the API and the command line show it: names of the wire, times as ISO 8601, secrets by their hints.
 */
import type { IssuedKey } from './issuing.ts'
import type { Key } from './key.ts'

/** A key with its last use. Times are milliseconds since 1970. */
export interface UsedKey extends Key {
  readonly lastUsedAt?: number
  readonly lastUsedIp?: string
  readonly lastUserAgent?: string
}

/** Everything its owner may see. There is no secret in a `Key`. */
export function describeKey(key: UsedKey) {
  const { rotation, elevation, quota, revoked } = key
  return {
    id: key.id,
    kind: key.kind,
    name: key.name,
    scopes: key.scopes,
    resource: key.resource ?? null,
    hint: key.hint,
    created_at: iso(key.createdAt),
    expires_at: iso(key.expiresAt),
    last_used_at: key.lastUsedAt === undefined ? null : iso(key.lastUsedAt),
    last_used_ip: key.lastUsedIp ?? null,
    last_user_agent: key.lastUserAgent ?? null,
    allowed_ips: key.allowedIps,
    state: key.state,
    revoked_at: revoked ? iso(revoked.at) : null,
    revoked_reason: revoked?.reason ?? null,
    quota: quota ? { requests: quota.requests, window_seconds: quota.windowSeconds } : null,
    call_budget: key.callBudget ?? null,
    may_create_children: key.mayCreateChildren,
    parent_id: key.ancestors.at(-1) ?? null,
    rotation: rotation
      ? {
          old_hint: rotation.oldHint,
          replaced_at: iso(rotation.replacedAt),
          ends_at: iso(rotation.endsAt),
          quiet_seconds: rotation.quietSeconds ?? null,
          until_first_use: rotation.untilFirstUse ?? false,
        }
      : null,
    elevation: elevation ? { scope: elevation.scope, until: iso(elevation.until) } : null,
  }
}

/** The answer to a creation or a rotation: the credential stands in this one only. */
export function describeIssued({ key, credential }: IssuedKey) {
  const { id, ...rest } = describeKey(key)
  return { id, key: credential, ...rest }
}

const iso = (milliseconds: number) => new Date(milliseconds).toISOString()
