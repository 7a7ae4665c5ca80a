/**
 * Our own access tokens when they come back: at userinfo, introspection, revocation and our API. They are JWTs and not stored;
 * what revokes one is the end of its grant (found by the first half of its `jti`), of its app or account, or an entry in the list of denied tokens.
 */
import { createLocalJWKSet, type JWK, type JWTPayload, errors as joseErrors, jwtVerify } from 'jose'
import { digest, randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { type Actor, actorsOf, keyOf } from './actors.ts'
import type { Clients } from './clients.ts'
import { type ConnectionDetail, detailsOf, rightsOf } from './details.ts'
import { IDENTITY } from './scope-map.ts'
import { publicKeys } from './signing-keys.ts'
import type { Standing, Standings } from './standing.ts'
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
  /** Single connections (RFC 9396 §9.1). */
  readonly authorization_details?: readonly ConnectionDetail[]
  /** Who acts for `sub` (RFC 8693 §4.1). */
  readonly act?: Actor
  /** The app that may make a token from this one and act with it (RFC 8693 §4.4). */
  readonly may_act?: { readonly sub: string }
  /** Tokens it was exchanged from, the last one first: whatever ends one of them ends this one. */
  readonly exchanged_from?: readonly string[]
}

/** Why a token is not good. Outside, all but `expired` are the same answer. */
export type TokenFault =
  | 'malformed'
  | 'expired'
  | 'revoked'
  | 'grant_ended'
  | 'consent_ended'
  | 'app_suspended'
  | 'account_disabled'
  | 'dpop_mismatch'

/** What a person allowed, and to whom, that a token goes back to. */
export interface Family {
  readonly clientId: string
  readonly consentId?: string
}

export type CheckedToken =
  /** `isNarrower`: the token itself says more than what is left of it, which is what `claims` say. */
  | { ok: true; claims: AccessTokenClaims; grantId?: string; family?: Family; isNarrower?: true }
  | { ok: false; fault: TokenFault; claims?: AccessTokenClaims }

/** Whether an account may still use what it obtained at `authTime` (seconds since 1970). */
export type AccountStands = (accountId: string, authTime: number | undefined) => Promise<boolean>

export interface AccessTokens {
  /**
   * Signature, type, issuer and times (RFC 9068 §4), then grant, consent, app, account and the denied list. `audience` is the caller's to check.
   * Scopes and connections are those that the person still allows, whatever stands in the token.
   */
  check(token: string): Promise<CheckedToken>
  /** Denies one token until it would have expired. */
  deny(claims: AccessTokenClaims): Promise<void>
}

/** The grant that a token lives by, if it has one. */
export const grantOf = ({ jti }: Pick<AccessTokenClaims, 'jti'>): string | undefined =>
  jti.includes('.') ? jti.split('.', 1)[0] : undefined

/** `jti` of an access token: its grant's id, a dot and a random part; without a grant only the random part. */
export function newTokenId(grantId?: string): string {
  return grantId ? `${grantId}.${randomId(16)}` : randomId(22)
}

const ALGORITHMS = ['ES256', 'RS256', 'EdDSA', 'Ed25519']
const TOLERANCE_SECONDS = 15
/** Signatures that are not computed again. What can change about a token is looked up at every use. */
const REMEMBERED = 10_000

interface Parts {
  readonly issuer: string
  readonly jwks: readonly JWK[]
  readonly store: Store
  readonly clients: Clients
  readonly standings: Standings
  readonly accountStands: AccountStands
  /** Whether a key is still alive that a token was made from. */
  readonly keyStands: (keyId: string) => Promise<boolean>
  readonly now: () => number
}

export function createAccessTokens(parts: Parts): AccessTokens {
  const { store, standings, accountStands } = parts
  const verify = rememberingVerifier(parts)
  return {
    async check(token) {
      if (token.length > 8192) return { ok: false, fault: 'malformed' }
      const verified = await verify(token)
      if (!verified.ok) return verified
      const { claims } = verified
      const grantId = grantOf(claims)
      const { exchanged_from: from } = claims
      const [isDenied, grant, appsStand, keysStand, ownConsent] = await Promise.all([
        anyDenied(store, [claims.jti, ...(claims.exchanged_from ?? [])]),
        grantId ? store.find<Artefact>('grant', grantId) : undefined,
        everyAppStands(parts, claims),
        everyKeyStands(parts, claims),
        grantId && !from ? standings.read(claims.sub, claims.client_id) : undefined,
      ])
      if (isDenied || !keysStand) return { ok: false, fault: 'revoked', claims }
      if (!appsStand) return { ok: false, fault: 'app_suspended', claims }
      if (!grantId) return { ok: true, claims }
      if (!grant || !isOf(grant.value, claims)) {
        const isStopped = !from && !ownConsent && !(await parts.clients.app(claims.client_id))?.firstParty
        return { ok: false, fault: isStopped ? 'consent_ended' : 'grant_ended', claims }
      }
      if (from && !(await parts.clients.app(grant.value.clientId ?? '')))
        return { ok: false, fault: 'app_suspended', claims }
      // A token without a sign-in of its own (an identity assertion) counts from when it was made.
      if (!(await accountStands(claims.sub, claims.auth_time ?? claims.iat)))
        return { ok: false, fault: 'account_disabled', claims }
      const consent = from ? await standings.read(claims.sub, grant.value.clientId ?? '') : ownConsent
      const standing = await standings.of(grant.value, consent)
      if (!standing) return { ok: false, fault: 'consent_ended', claims }
      // An exchanged token is no token of the family: it ends with it, but speaks for it nowhere.
      return { ok: true, ...cut(claims, standing), family: familyOf(grant.value), ...(from ? {} : { grantId }) }
    },
    async deny(claims) {
      const expiresAt = (claims.exp + TOLERANCE_SECONDS) * 1000
      await store.put('denied_token', { id: claims.jti, value: { clientId: claims.client_id }, expiresAt }, 'replace')
    },
  }
}

/** An exchanged token is of the same account, and was issued to the app that exchanged it. */
function isOf(grant: Artefact, { sub, client_id: clientId, exchanged_from: from }: AccessTokenClaims): boolean {
  return grant.accountId === sub && (from !== undefined || grant.clientId === clientId)
}

function familyOf({ clientId = '', consentId }: Artefact): Family {
  return { clientId, ...(consentId === undefined ? {} : { consentId }) }
}

async function anyDenied(store: Store, ids: readonly string[]): Promise<boolean> {
  const found = await Promise.all(ids.map((id) => store.find('denied_token', id)))
  return found.some((entry) => entry !== undefined)
}

/** The app it was issued to, every app that acted on its way, and the app it speaks for where no person stands behind it. */
async function everyAppStands({ clients }: Parts, claims: AccessTokenClaims): Promise<boolean> {
  const { act, client_id: clientId, sub, exchanged_from: from } = claims
  const actors = actorsOf(act)
  const ids = new Set(actors.filter((actor) => keyOf(actor) === undefined))
  const isOfKeyItself = actors[0] === clientId && keyOf(clientId) !== undefined
  if (!isOfKeyItself) ids.add(clientId)
  const isOfAccount = grantOf(claims) !== undefined || actors.some((actor) => keyOf(actor) !== undefined)
  if (from && !isOfAccount) ids.add(sub)
  const found = await Promise.all([...ids].map((id) => clients.app(id)))
  return found.every((app) => app !== undefined)
}

async function everyKeyStands({ keyStands }: Parts, { act }: AccessTokenClaims): Promise<boolean> {
  const keys = actorsOf(act).flatMap((actor) => keyOf(actor) ?? [])
  return (await Promise.all(keys.map(keyStands))).every(Boolean)
}

/** Signature, type, issuer and times. The signature of a token that was seen before is known, its end is looked at again. */
function rememberingVerifier({ issuer, jwks, now }: Parts): (token: string) => Promise<CheckedToken> {
  const keys = createLocalJWKSet({ keys: publicKeys(jwks) })
  const known = new Map<string, AccessTokenClaims>()

  const verify = async (token: string): Promise<CheckedToken> => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        typ: 'at+jwt',
        algorithms: ALGORITHMS,
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(now()),
      })
      const claims = payload as AccessTokenClaims
      const complete =
        typeof claims.jti === 'string' &&
        typeof claims.client_id === 'string' &&
        typeof claims.aud === 'string' &&
        typeof claims.exp === 'number'
      return complete ? { ok: true, claims } : { ok: false, fault: 'malformed' }
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired)
        return { ok: false, fault: 'expired', claims: error.payload as AccessTokenClaims }
      return { ok: false, fault: 'malformed' }
    }
  }

  return async (token) => {
    const name = digest('verified token', token)
    const claims = known.get(name)
    if (claims && claims.exp > now() / 1000 - TOLERANCE_SECONDS) return { ok: true, claims }
    const verified = await verify(token)
    if (!verified.ok) return verified
    known.set(name, verified.claims)
    if (known.size > REMEMBERED) for (const oldest of known.keys()) if (known.delete(oldest)) break
    return verified
  }
}

/** The claims as far as the consent of this moment reaches, and no later than it ends. */
function cut(claims: AccessTokenClaims, { limits }: Standing): { claims: AccessTokenClaims; isNarrower?: true } {
  if (!limits) return { claims }
  const { authorization_details: details, scope = '', exchanged_from: from, aud } = claims
  // An exchanged token may be for a resource that the person was not asked about; its scopes are some that they allowed.
  const left = from
    ? Object.values(limits.scopes).flat()
    : [IDENTITY, aud].flatMap((place) => limits.scopes[place] ?? [])
  const held = scope.split(' ').filter(Boolean)
  const scopes = held.filter((one) => left.includes(one))
  const named = rightsOf(details, aud)
  const connections = named.filter((right) => left.includes(right))
  const exp = Math.min(claims.exp, Math.floor(limits.expiresAt / 1000))
  if (scopes.length === held.length && connections.length === named.length && exp === claims.exp) return { claims }
  const kept = detailsOf({ [aud]: connections }, details?.some(({ locations }) => locations) ? 'locations' : 'anywhere')
  const { authorization_details: _details, scope: _scope, ...rest } = claims
  const narrower = {
    ...rest,
    exp,
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
    ...(kept.length > 0 ? { authorization_details: kept } : {}),
  }
  return { claims: narrower as AccessTokenClaims, isNarrower: true }
}
