/**
 * Assertions of trusted issuers (RFC 7523 §3, RFC 8725): who signed, for whom, when, and that each works once. What one means, a program or a
 * person, is for the caller. Nothing in an assertion says where a key is to be found (`jku`, `x5u`, `jwk`), and none is ever written anywhere.
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { AppError, hasCode } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { createIssuerKeys, type FetchKeys } from './issuer-keys.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'

export interface AssertedClaims extends JWTPayload {
  readonly iss: string
  readonly sub: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
}

export interface Verified {
  readonly issuer: TrustedIssuer
  readonly claims: AssertedClaims
}

/** What an assertion says of itself before anything of it has been checked. */
export interface Claimed {
  readonly issuer: TrustedIssuer
  readonly claims: JWTPayload
  /** Lower case, without `application/`; undefined when it says none. */
  readonly typ: string | undefined
}

export interface Assertions {
  /** Whose it claims to be; undefined for what is no JWT of a trusted issuer. Proves nothing. */
  read(assertion: string): Claimed | undefined
  /** The claims once everything but its single use has been checked; undefined for every fault. @throws outbound_refused without keys */
  verify(assertion: string, types: readonly (string | undefined)[]): Promise<Verified | undefined>
  /** Uses it up; false when it was used before, on any process. */
  use(verified: Verified): Promise<boolean>
}

interface Dependencies {
  readonly issuers: readonly TrustedIssuer[]
  /** The issuer of this server: what assertions are for unless said otherwise. */
  readonly audience: string
  readonly store: Store
  readonly fetch: FetchKeys
  readonly now: () => number
}

const TOLERANCE_SECONDS = 15
/** From when it was made until it ends: what lives longer is a secret that lies about. */
const LONGEST_SECONDS = 3600
const LONGEST_CHARACTERS = 16_384

export function createAssertions({ issuers, audience, store, fetch, now }: Dependencies): Assertions {
  const known = new Map<string, { issuer: TrustedIssuer; keys: JWTVerifyGetKey }>(
    issuers.map((issuer) => [issuer.issuer, { issuer, keys: createIssuerKeys(issuer, { fetch, now }) }]),
  )
  const read: Assertions['read'] = (assertion) => {
    if (known.size === 0 || assertion.length > LONGEST_CHARACTERS) return undefined
    try {
      const claims = decodeJwt(assertion)
      const { typ } = decodeProtectedHeader(assertion)
      const found = known.get(String(claims.iss))
      const name = typ?.toLowerCase().replace(/^application\//, '')
      return found && { issuer: found.issuer, claims, typ: name }
    } catch {
      return undefined
    }
  }
  return {
    read,
    async verify(assertion, types) {
      const claimed = read(assertion)
      const found = claimed && known.get(claimed.issuer.issuer)
      if (!found || !types.includes(claimed.typ)) return undefined
      const { issuer, keys } = found
      try {
        const { payload } = await jwtVerify(assertion, keys, {
          issuer: issuer.issuer,
          algorithms: [...issuer.algorithms],
          clockTolerance: TOLERANCE_SECONDS,
          currentDate: new Date(now()),
        })
        const isRight = payload.aud === (issuer.audience ?? audience) && isComplete(payload, now() / 1000)
        return isRight ? { issuer, claims: payload as AssertedClaims } : undefined
      } catch (error) {
        if (error instanceof AppError) throw error
        return undefined
      }
    },
    async use({ issuer, claims }) {
      // RFC 7523 §3 item 7; an identity assertion's `jti` is unique within issuer and subject.
      const id = digest('assertion', [issuer.issuer, claims.sub, claims.jti].join('\n'))
      const expiresAt = (claims.exp + TOLERANCE_SECONDS) * 1000
      try {
        await store.put('replay', { id, value: {}, expiresAt }, 'create')
        return true
      } catch (error) {
        if (hasCode(error, 'conflict')) return false
        throw error
      }
    },
  }
}

function isComplete({ sub, jti, iat, exp }: JWTPayload, now: number): boolean {
  const isText = (value: unknown) => typeof value === 'string' && value.length > 0 && value.length <= 1024
  if (!isText(sub) || !isText(jti) || typeof iat !== 'number' || typeof exp !== 'number') return false
  const isTimely = iat <= now + TOLERANCE_SECONDS && now - iat <= LONGEST_SECONDS + TOLERANCE_SECONDS
  return isTimely && exp - iat <= LONGEST_SECONDS
}
