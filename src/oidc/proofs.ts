/**
 * DPoP at our own API (RFC 9449 §4.3, §7.1): a token that is bound to a key is worth nothing without a fresh proof of that key for this very
 * request. The endpoints of the protocol have the library's check; this one is for everything else that takes our access tokens.
 */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from 'jose'
import { hasCode } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { AccessTokens, CheckedToken } from './access-tokens.ts'
import { DPOP_ALGORITHMS } from './metadata.ts'

/** Seconds a proof may be old or early. */
const WINDOW_SECONDS = 60

export interface ProvenRequest {
  readonly proof?: string
  readonly method: string
  /** Path as it was asked for, without query. */
  readonly path: string
}

interface Parts {
  readonly issuer: string
  readonly store: Store
  readonly tokens: () => AccessTokens
  readonly now: () => number
}

/** As `AccessTokens.check`, and the proof where the token is bound. A bound token as a plain bearer, and a proof for an unbound one, are refused. */
export function createProofCheck({ tokens, ...parts }: Parts) {
  const provenKey = createProvenKey(parts)
  return async (token: string, request: ProvenRequest): Promise<CheckedToken> => {
    const checked = await tokens().check(token)
    if (!checked.ok) return checked
    const bound = checked.claims.cnf?.jkt
    if (bound === undefined && request.proof === undefined) return checked
    const isProven = bound !== undefined && (await provenKey({ ...request, token, thumbprint: bound })) !== undefined
    return isProven ? checked : { ok: false, fault: 'dpop_mismatch', claims: checked.claims }
  }
}

export interface ProofWish extends ProvenRequest {
  /** The token that the proof must name (`ath`); at the token endpoint there is none yet. */
  readonly token?: string
  /** The key it must be; any key when absent. */
  readonly thumbprint?: string
}

/** The thumbprint of the key that a fresh proof for this very request, used for the first time, was made with; undefined for everything else. */
export function createProvenKey({ issuer, store, now }: Omit<Parts, 'tokens'>) {
  return async (wish: ProofWish): Promise<string | undefined> => {
    try {
      const { payload, protectedHeader } = await jwtVerify(wish.proof ?? '', EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: [...DPOP_ALGORITHMS],
        currentDate: new Date(now()),
      })
      const isHere = payload['htm'] === wish.method && sameAddress(String(payload['htu']), `${issuer}${wish.path}`)
      const isThis =
        wish.token === undefined || payload['ath'] === createHash('sha256').update(wish.token).digest('base64url')
      const isNow = Math.abs(now() / 1000 - Number(payload.iat)) <= WINDOW_SECONDS
      const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk as JWK)
      const isHolder = wish.thumbprint === undefined || thumbprint === wish.thumbprint
      const fits = isHere && isThis && isNow && isHolder && typeof payload.jti === 'string'
      return fits && (await isFirst(store, thumbprint, String(payload.jti), now())) ? thumbprint : undefined
    } catch (error) {
      if (hasCode(error, 'store_unavailable')) throw error
      return undefined
    }
  }
}

function sameAddress(claimed: string, expected: string): boolean {
  const url = URL.parse(claimed)
  return url !== null && `${url.origin}${url.pathname}` === expected
}

/** One write that only the first use of a proof can make (RFC 9449 §11.1). */
async function isFirst(store: Store, thumbprint: string, jti: string, now: number): Promise<boolean> {
  try {
    await store.put(
      'replay',
      { id: digest('replay', `${thumbprint}\n${jti}`), value: {}, expiresAt: now + 2 * WINDOW_SECONDS * 1000 },
      'create',
    )
    return true
  } catch (error) {
    if (hasCode(error, 'conflict')) return false
    throw error
  }
}
