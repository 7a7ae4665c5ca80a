/**
 * An access token of ours in use: checked, counted under its limit and refused as `refusals.ts` says, with the cause noted for its owner.
 */
import type { AppError } from '../errors.ts'
import type { HttpContext } from '../http/server.ts'
import { keySpent } from '../keys/allowance.ts'
import type { Denial } from '../keys/denials.ts'
import type { CheckedToken } from '../oidc/interaction.ts'
import { type ApiCaller, tokenCaller } from './caller.ts'
import { askKeysBehind, takeLimits, tokenCounted } from './limits.ts'
import { agentOf, type CredentialParts, callerOf, requestLine, schemeOf } from './presented.ts'
import { insufficientScope, invalidToken, rateLimited, tellStanding } from './refusals.ts'

interface TokenAttempt {
  readonly scheme: string
  readonly token: string
  /** Our own API unless said otherwise. */
  readonly audience?: string
  readonly scopes?: readonly string[]
}

/** Who the token speaks for. @throws AppError when it is refused */
export async function useToken(
  parts: CredentialParts,
  ctx: HttpContext,
  { scheme, token, audience = parts.audience, scopes: needed = [] }: TokenAttempt,
): Promise<ApiCaller> {
  const proof = scheme === 'dpop' ? { proof: String(ctx.req.headers['dpop'] ?? '') } : {}
  const checked = await parts.checkToken(token, { method: ctx.method, path: ctx.state.path, ...proof })
  const place = { ...parts, scheme: schemeOf(ctx) }
  if (!checked.ok) throw await tokenRefusal(place, ctx, checked)
  const { claims, isNarrower } = checked
  const count = (outcome: 'ok' | 'denied' | 'limited') => countCall(parts, claims, outcome)
  const credential = `access_token:${claims.jti}`
  const ownerId = await ownerOf(parts, claims)
  const noted = async (reason: string, detail: string) => {
    count(LIMITED.has(reason) ? 'limited' : 'denied')
    return { errorRef: await noteDenial(parts, ctx, { ownerId, credential, reason, detail }), reason }
  }
  parts.bearers.remember(ctx, { ownerId, credential })
  if (claims.aud !== audience)
    throw invalidToken(place, 'The access token is not for this API.', await noted('audience_mismatch', claims.aud))
  const limit = await takeLimits(parts, tokenCounted(claims))
  tellStanding(ctx, limit)
  if (limit && !limit.allowed) throw rateLimited(limit, (await noted('rate_limited', limit.policy)).errorRef)
  const held = claims.scope?.split(' ') ?? []
  const missing = needed.filter((scope) => !held.includes(scope))
  if (missing.length > 0) throw insufficientScope(place, needed, await noted('scope_missing', missing.join(' ')))
  const spent = await askKeysBehind(claims.act, parts.spendKey)
  if (spent) throw keySpent(spent, (await noted(spent.reason, claims.act?.sub ?? '')).errorRef)
  count('ok')
  const account = claims.sub === claims.client_id ? undefined : await parts.findAccount(claims.sub)
  return tokenCaller({ claims, isNarrower, account, caller: callerOf(ctx, claims.sub, claims.act?.sub), limit })
}

const LIMITED: ReadonlySet<string> = new Set(['rate_limited', 'quota_exceeded', 'budget_spent'])

type Claims = Extract<CheckedToken, { ok: true }>['claims']

/** A token that a key was made into by itself has no app. */
function countCall(
  { countApp, now }: CredentialParts,
  { client_id: clientId }: Claims,
  outcome: 'ok' | 'denied' | 'limited',
): void {
  if (!/^(?:api_key|personal_access_token):/.test(clientId)) countApp(clientId, { outcome, at: now() })
}

type Told = Pick<Denial, 'ownerId' | 'credential' | 'reason' | 'detail'>

/** Stores why something was refused, for its owner; the reference of it. */
export function noteDenial({ denials, now }: CredentialParts, ctx: HttpContext, told: Told): Promise<string> {
  return denials.note({ ...told, at: now(), ip: ctx.state.ip, userAgent: agentOf(ctx), request: requestLine(ctx) })
}

async function tokenRefusal(
  parts: CredentialParts & { readonly scheme: 'Bearer' | 'DPoP' },
  ctx: HttpContext,
  { fault, claims }: Extract<CheckedToken, { ok: false }>,
): Promise<AppError> {
  const told = claims && { ownerId: await ownerOf(parts, claims), credential: `access_token:${claims.jti}` }
  const errorRef = told ? await noteDenial(parts, ctx, { ...told, reason: fault }) : parts.denials.newRef()
  const description = fault === 'expired' ? 'The access token has expired.' : 'The access token is not valid.'
  // Who shows a bound token as a plain bearer is told how to show it (RFC 9449 §7.1).
  const place = fault === 'dpop_mismatch' ? { ...parts, scheme: 'DPoP' as const } : parts
  return invalidToken(place, description, { errorRef, reason: fault })
}

/** Who reads why a token was refused: the person it speaks for; where an app speaks for itself, the account that the app belongs to. */
async function ownerOf({ findApp }: CredentialParts, { sub, client_id: clientId }: Claims): Promise<string> {
  return sub === clientId ? ((await findApp(clientId))?.ownerId ?? sub) : sub
}
