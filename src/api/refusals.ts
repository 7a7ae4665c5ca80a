/**
 * How the API refuses a credential: problem documents with the challenge of RFC 6750 §3, for tokens that are bound to a key that of RFC 9449 §7.1,
 * pointing to the resource's metadata (RFC 9728 §5.1). The
 * wire says no more than it must; what exactly was wrong stands behind the reference, for the owner.
 */
import { AppError } from '../errors.ts'
import type { HttpContext } from '../http/server.ts'
import { KEY_QUOTA, keySpent } from '../keys/allowance.ts'
import type { Denied, Verdict } from '../keys/check.ts'
import { sunsetHeaders } from '../overlap.ts'
import { rateLimitHeaders, type Standing } from '../security/rate-limit.ts'

/** Where the challenge points, and how a token was or should have been shown. */
interface Place {
  readonly issuer: string
  /** What proofs of possession may be signed by. */
  readonly proofAlgorithms: readonly string[]
  readonly scheme?: 'Bearer' | 'DPoP'
}

const metadataOf = ({ issuer }: Place) => `resource_metadata="${issuer}/.well-known/oauth-protected-resource/api/v1"`

export function challenge(parts: Place, fields: Readonly<Record<string, string>>): { headers: Record<string, string> } {
  const told = Object.entries(fields).map(([name, value]) => `${name}="${value}"`)
  const { scheme = 'Bearer' } = parts
  const algorithms = scheme === 'DPoP' ? [algorithmsOf(parts)] : []
  const words = [`${scheme} realm="licet"`, ...told, ...algorithms, metadataOf(parts)]
  return { headers: { 'WWW-Authenticate': words.join(', ') } }
}

const algorithmsOf = ({ proofAlgorithms }: Place) => `algs="${proofAlgorithms.join(' ')}"`

/** Both ways to show a token are offered (RFC 9449 §7.2). */
export function unauthenticated(parts: Place): AppError {
  const { headers } = challenge(parts, {})
  const both = `${headers['WWW-Authenticate']}, DPoP realm="licet", ${algorithmsOf(parts)}`
  return new AppError('unauthenticated', 'Send an access token, an API key or a personal access token as a bearer.', {
    details: { headers: { 'WWW-Authenticate': both } },
  })
}

/** What stands behind a refusal: where its owner reads why, and why, which the wire tells in development only. */
interface Behind {
  readonly errorRef?: string
  readonly reason?: string
}

export function invalidToken(parts: Place, description: string, behind: Behind = {}): AppError {
  const details = challenge(parts, { error: 'invalid_token', error_description: description })
  return new AppError('invalid_token', description, { details: { ...details, ...behind } })
}

/** What the owner of a personal token may allow, and where. */
export interface Lift {
  readonly scope: string
  readonly approvalUrl?: string
}

export function insufficientScope(parts: Place, needed: readonly string[], behind: Behind, lift?: Lift): AppError {
  const description = `This needs ${needed.join(' ')}.`
  const details = challenge(parts, {
    error: 'insufficient_scope',
    error_description: description,
    scope: needed.join(' '),
  })
  const offer = lift ? ` The owner may lift this token to ${lift.scope} for 15 minutes.` : ''
  const approval = lift?.approvalUrl === undefined ? {} : { approvalUrl: lift.approvalUrl }
  return new AppError('insufficient_scope', description + offer, { details: { ...details, ...approval, ...behind } })
}

export function rateLimited(standing: Standing, errorRef: string): AppError {
  const retryAfterSeconds = Math.max(1, standing.resetSeconds)
  return new AppError('rate_limited', `Too many requests. Try again in ${retryAfterSeconds} seconds.`, {
    details: { retryAfterSeconds, policy: standing.policy, errorRef, reason: 'rate_limited' },
  })
}

/** How a key that was refused is answered. */
export function keyRefusal(parts: Place, denied: Denied, lift?: Lift): AppError {
  const { outside, reason, errorRef, needed = [], limit } = denied
  const behind = { errorRef, reason }
  if (outside === 'insufficient_scope') return insufficientScope(parts, needed, behind, lift)
  if (outside === 'invalid_token') return invalidToken(parts, 'The credential is not valid.', behind)
  return limit && !limit.allowed ? rateLimited(limit, errorRef) : keySpent(denied, errorRef)
}

/** How a key stands under the tightest of its limits: the server's for every credential, or its own quota. */
export function keyStanding({ limit, quota }: Pick<Verdict, 'limit' | 'quota'>): Standing | undefined {
  if (!quota || (limit && (!limit.allowed || limit.remaining < quota.remaining))) return limit
  return { policy: KEY_QUOTA, allowed: true, ...quota }
}

/** The limit's standing, on every answer (contract.md). */
export function tellStanding({ res }: HttpContext, standing: Standing | undefined): void {
  if (standing) for (const [name, value] of Object.entries(rateLimitHeaders(standing))) res.setHeader(name, value)
}

/** This secret was replaced, and ends then. */
export function tellSunset({ res }: HttpContext, old: { deprecatedAt: number; sunsetAt: number }): void {
  for (const [name, value] of Object.entries(sunsetHeaders(old))) res.setHeader(name, value)
}
