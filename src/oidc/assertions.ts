/**
 * What a client assertion (`private_key_jwt`, RFC 7523) must say beyond the library's checks: the audience is the issuer as one string
 * (RFC 7523bis, threats.md CA3), it lives five minutes at most and does not come from the future (CA4). And the replay gate for assertions
 * and DPoP proofs: set-if-absent, so that of parallel uses one wins (CA5, TK11).
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { AppError, hasCode } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { CLOCK_TOLERANCE_SECONDS } from './artefacts.ts'
import { currentWork, servedOrRefused } from './work.ts'

const LONGEST_LIFE_SECONDS = 300

interface AssertionParts {
  readonly now: () => number
  /** Counts the request for its app; the signature has been checked by then. */
  readonly admit: (ctx: KoaContextWithOIDC, clientId: string) => Promise<void>
}

export function createAssertionCheck({ now, admit }: AssertionParts) {
  return async (
    ctx: KoaContextWithOIDC,
    claims: Record<string, unknown>,
    header: Record<string, unknown>,
  ): Promise<void> => {
    // The library ignores it; we understand no extension (RFC 7515 §4.1.11).
    if (header['crit'] !== undefined) throw new errors.InvalidClientAuth('crit is not supported')
    const seconds = Math.floor(now() / 1000)
    if (claims['aud'] !== ctx.oidc.issuer)
      throw new errors.InvalidClientAuth('the audience must be the issuer, as one string')
    if (claims['sub'] !== claims['iss']) throw new errors.InvalidClientAuth('iss and sub must both be the client_id')
    if (Number(claims['exp']) > seconds + LONGEST_LIFE_SECONDS + CLOCK_TOLERANCE_SECONDS)
      throw new errors.InvalidClientAuth('exp is too far away')
    const issuedAt = claims['iat']
    if (issuedAt !== undefined && Number(issuedAt) > seconds + CLOCK_TOLERANCE_SECONDS)
      throw new errors.InvalidClientAuth('iat lies in the future')
    await servedOrRefused(() => admit(ctx, String(claims['sub'])))
  }
}

/** Replaces the library's read-then-write by one write that only the first use can make. */
export function replaceReplayDetection(provider: Provider, store: Store): void {
  const unique = async (issuer: string, jti: string, exp: number): Promise<boolean> => {
    const id = digest('replay', `${issuer}\n${jti}`)
    const expiresAt = (exp + CLOCK_TOLERANCE_SECONDS) * 1000
    try {
      await store.put('replay', { id, value: {}, expiresAt }, 'create')
      return true
    } catch (error) {
      if (hasCode(error, 'conflict')) return false
      if (error instanceof AppError) currentWork().failure = error
      throw error
    }
  }
  Object.defineProperty(provider.ReplayDetection, 'unique', { value: unique })
}
