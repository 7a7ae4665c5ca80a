/**
 * Our own access tokens when they come back: at userinfo, introspection, revocation and our API. They are JWTs and not stored;
 * what revokes one is the end of its grant (found by the first half of its `jti`), of its app or account, or an entry in the list of denied tokens.
 */
import { createLocalJWKSet, type JWK, type JWTPayload, errors as joseErrors, jwtVerify } from 'jose'
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { Clients } from './clients.ts'
import { keyBehind } from './key-tokens.ts'
import { publicKeys } from './signing-keys.ts'
import type { Artefact } from './work.ts'

export interface AccessTokenClaims extends JWTPayload {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: string
  readonly scope?: string
  readonly sid?: string
  readonly auth_time?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly cnf?: { readonly jkt?: string }
  /** The credential that acted for `sub` (RFC 8693 §4.1). */
  readonly act?: { readonly sub: string }
}

/** Why a token is not good. Outside, all but `expired` are the same answer. */
export type TokenFault =
  | 'malformed'
  | 'expired'
  | 'revoked'
  | 'grant_ended'
  | 'app_suspended'
  | 'account_disabled'
  | 'dpop_mismatch'

export type CheckedToken =
  | { ok: true; claims: AccessTokenClaims; grantId?: string }
  | { ok: false; fault: TokenFault; claims?: AccessTokenClaims }

/** Whether an account may still use what it obtained at `authTime` (seconds since 1970). */
export type AccountStands = (accountId: string, authTime: number | undefined) => Promise<boolean>

export interface AccessTokens {
  /** Signature, type, issuer and times (RFC 9068 §4), then grant, app, account and the denied list. `audience` is the caller's to check. */
  check(token: string): Promise<CheckedToken>
  /** Denies one token until it would have expired. */
  deny(claims: AccessTokenClaims): Promise<void>
}

/** `jti` of an access token: its grant's id, a dot and a random part; without a grant only the random part. */
export function newTokenId(grantId?: string): string {
  return grantId ? `${grantId}.${randomId(16)}` : randomId(22)
}

const ALGORITHMS = ['ES256', 'RS256', 'EdDSA', 'Ed25519']
const TOLERANCE_SECONDS = 15
/** RFC 9068 §2.2 */
const REQUIRED = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti']

interface Parts {
  readonly issuer: string
  readonly jwks: readonly JWK[]
  readonly store: Store
  readonly clients: Clients
  readonly accountStands: AccountStands
  /** Whether a key is still alive that a token was made from. */
  readonly keyStands: (keyId: string) => Promise<boolean>
  readonly now: () => number
}

export function createAccessTokens({
  issuer,
  jwks,
  store,
  clients,
  accountStands,
  keyStands,
  now,
}: Parts): AccessTokens {
  const keys = createLocalJWKSet({ keys: publicKeys(jwks) })

  const verify = async (token: string): Promise<CheckedToken> => {
    try {
      const options = {
        issuer,
        typ: 'at+jwt',
        algorithms: ALGORITHMS,
        requiredClaims: REQUIRED,
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(now()),
      }
      const { payload } = await jwtVerify(token, keys, options)
      const claims = payload as AccessTokenClaims
      return typeof claims.aud === 'string' ? { ok: true, claims } : { ok: false, fault: 'malformed' }
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired)
        return { ok: false, fault: 'expired', claims: error.payload as AccessTokenClaims }
      return { ok: false, fault: 'malformed' }
    }
  }

  return {
    async check(token) {
      if (token.length > 8192) return { ok: false, fault: 'malformed' }
      const verified = await verify(token)
      if (!verified.ok) return verified
      const { claims } = verified
      const [grantId] = claims.jti.includes('.') ? claims.jti.split('.') : []
      const keyId = keyBehind(claims)
      const isOfKeyItself = keyId !== undefined && claims.client_id === claims.act?.sub
      const [denied, grant, app, keyIsAlive] = await Promise.all([
        store.find('denied_token', claims.jti),
        grantId ? store.find<Artefact>('grant', grantId) : undefined,
        isOfKeyItself ? true : clients.app(claims.client_id),
        keyId === undefined ? true : keyStands(keyId),
      ])
      if (denied || !keyIsAlive) return { ok: false, fault: 'revoked', claims }
      if (!app) return { ok: false, fault: 'app_suspended', claims }
      if (!grantId) return { ok: true, claims }
      if (!grant || grant.value.clientId !== claims.client_id || grant.value.accountId !== claims.sub)
        return { ok: false, fault: 'grant_ended', claims }
      if (!(await accountStands(claims.sub, claims.auth_time))) return { ok: false, fault: 'account_disabled', claims }
      return { ok: true, claims, grantId }
    },
    async deny(claims) {
      const expiresAt = (claims.exp + TOLERANCE_SECONDS) * 1000
      await store.put('denied_token', { id: claims.jti, value: { clientId: claims.client_id }, expiresAt }, 'replace')
    },
  }
}
