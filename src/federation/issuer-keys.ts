/**
 * The public keys of a trusted issuer: from the configuration, from their address, or from the address its discovery document names. Fetched through
 * the guarded way out and kept; a key nobody has heard of makes them be fetched again once a minute at most, whatever comes in (JW2, DC4).
 */
import { createLocalJWKSet, type JWK, type JWTVerifyGetKey, errors as joseErrors } from 'jose'
import { AppError } from '../errors.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'

export type FetchKeys = (url: string, init: { headers: Record<string, string> }) => Promise<Response>

interface Dependencies {
  readonly fetch: FetchKeys
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const FRESH_MS = 10 * 60_000
/** How long known keys serve while their address does not answer. */
const STALE_MS = 24 * 3_600_000
const AGAIN_MS = 60_000
/** After a failure with nothing in hand, so that a short trouble there is no minute of refusals here. */
const FIRST_AGAIN_MS = 10_000
const MOST_KEYS = 100

interface Kept {
  set?: JWTVerifyGetKey
  fetchedAt: number
  triedAt: number
  running?: Promise<void>
}

/** Finds the key for a signature among those of the issuer. @throws outbound_refused when there are none to be had */
export function createIssuerKeys(
  { issuer, jwksUri, jwks }: TrustedIssuer,
  { fetch, now }: Dependencies,
): JWTVerifyGetKey {
  if (jwks) return createLocalJWKSet({ keys: publicOnly(jwks.keys) })
  const kept: Kept = { fetchedAt: Number.NEGATIVE_INFINITY, triedAt: Number.NEGATIVE_INFINITY }

  const load = async (): Promise<void> => {
    const address = jwksUri ?? (await discovered(fetch, issuer))
    const document = (await readJson(fetch, address)) as { keys?: unknown }
    if (!Array.isArray(document?.keys)) throw new Error('no key set')
    kept.set = createLocalJWKSet({ keys: publicOnly(document.keys) })
    kept.fetchedAt = now()
  }
  const refresh = (): Promise<void> => {
    kept.triedAt = now()
    kept.running ??= load().finally(() => delete kept.running)
    return kept.running
  }
  const current = async (): Promise<JWTVerifyGetKey> => {
    const age = now() - kept.fetchedAt
    const isDue = now() - kept.triedAt >= (kept.set ? AGAIN_MS : FIRST_AGAIN_MS)
    if (age >= FRESH_MS && (isDue || kept.running)) await (kept.running ?? refresh()).catch(() => undefined)
    if (kept.set && now() - kept.fetchedAt < STALE_MS) return kept.set
    throw new AppError('outbound_refused', 'The keys of the issuer cannot be had at the moment.')
  }

  return async (header, token) => {
    const set = await current()
    try {
      return await set(header, token)
    } catch (error) {
      const isDue = now() - kept.triedAt >= AGAIN_MS
      if (!(error instanceof joseErrors.JWKSNoMatchingKey) || !(isDue || kept.running)) throw error
      await (kept.running ?? refresh()).catch(() => undefined)
      return (kept.set ?? set)(header, token)
    }
  }
}

/** OpenID Connect Discovery 1.0 §4: the document must be of the very issuer that it is asked of. */
async function discovered(fetch: FetchKeys, issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const document = (await readJson(fetch, url)) as { issuer?: unknown; jwks_uri?: unknown }
  if (document?.issuer !== issuer || typeof document.jwks_uri !== 'string')
    throw new Error('not its discovery document')
  return document.jwks_uri
}

async function readJson(fetch: FetchKeys, url: string): Promise<unknown> {
  const answer = await fetch(url, { headers: { accept: 'application/json' } })
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
  return answer.json()
}

/** Only what can verify and nothing else: no shared secrets, no private halves. */
function publicOnly(keys: readonly unknown[]): JWK[] {
  return keys.slice(0, MOST_KEYS).filter((key): key is JWK => {
    if (typeof key !== 'object' || key === null) return false
    const { kty, use } = key as JWK
    return ['RSA', 'EC', 'OKP'].includes(kty ?? '') && (use === undefined || use === 'sig') && !('d' in key)
  })
}
