/**
 * A caller of the API, whatever it showed: an access token, an API key or a personal access token, in one shape.
 */
import type { Account } from '../accounts/account.ts'
import type { Key } from '../keys/key.ts'
import type { Caller } from '../observability/audit.ts'
import type { CheckedToken } from '../oidc/interaction.ts'
import type { Standing } from '../security/rate-limit.ts'

/** Whoever has been let in. Times are seconds since 1970. */
export interface ApiCaller {
  readonly kind: 'access_token' | 'api_key' | 'personal_access_token'
  /** The id of the key, or the `jti` of the token. */
  readonly id: string
  readonly name: string
  /** Absent for a service app acting for itself. */
  readonly account?: Account
  readonly clientId?: string
  readonly scopes: readonly string[]
  readonly audience: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly acr?: string
  readonly amr: readonly string[]
  readonly authTime?: number
  readonly sid?: string
  readonly key?: Key
  /** The credential that an access token was made from: it speaks for the account, and is no person. */
  readonly actor?: string
  readonly ip: string
  readonly limit?: Standing
  readonly caller: Caller
  /** The claims that are left, where the token itself says more. */
  readonly narrowed?: Claims
}

type Claims = Extract<CheckedToken, { ok: true }>['claims']

interface Found {
  readonly account: Account | undefined
  readonly caller: Caller
  readonly limit: Standing | undefined
}

/** The caller behind a key. */
export function keyCaller({
  key,
  scopes,
  audience,
  account,
  caller,
  limit,
}: Found & { key: Key; scopes: readonly string[]; audience: string }): ApiCaller {
  return {
    kind: key.kind,
    id: key.id,
    name: key.name,
    ...(account ? { account } : {}),
    scopes,
    audience: key.resource ?? audience,
    createdAt: Math.floor(key.createdAt / 1000),
    expiresAt: Math.floor(key.expiresAt / 1000),
    amr: [],
    key,
    ip: caller.ip ?? '',
    ...(limit ? { limit } : {}),
    caller,
  }
}

/** The caller behind an access token. */
export function tokenCaller({
  claims,
  isNarrower,
  account,
  caller,
  limit,
}: Found & { claims: Claims; isNarrower?: true | undefined }): ApiCaller {
  return {
    ...(isNarrower ? { narrowed: claims } : {}),
    kind: 'access_token',
    id: claims.jti,
    name: claims.client_id,
    ...(account ? { account } : {}),
    clientId: claims.client_id,
    scopes: claims.scope?.split(' ') ?? [],
    audience: claims.aud,
    createdAt: claims.iat,
    expiresAt: claims.exp,
    amr: claims.amr ?? [],
    ...(claims.acr ? { acr: claims.acr } : {}),
    ...(claims.auth_time ? { authTime: claims.auth_time } : {}),
    ...(claims.sid ? { sid: claims.sid } : {}),
    ...(claims.act ? { actor: claims.act.sub } : {}),
    ip: caller.ip ?? '',
    ...(limit ? { limit } : {}),
    caller,
  }
}
