/**
 * Who calls the API: the bearer of one of our access tokens, an API key or a personal access token. One rule for all three, so that every protected
 * route demands the same things in the same order and says no more than it must; the exact cause goes to the owner's denials.
 */
import type { Account } from '../accounts/account.ts'
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import type { Verdict } from '../keys/check.ts'
import type { Denial } from '../keys/denials.ts'
import type { Key } from '../keys/key.ts'
import type { Caller } from '../observability/audit.ts'
import type { CheckedToken } from '../oidc/interaction.ts'
import type { RateLimiter, Standing } from '../security/rate-limit.ts'
import {
  challenge,
  insufficientScope,
  invalidToken,
  keyRefusal,
  rateLimited,
  tellStanding,
  tellSunset,
  unauthenticated,
} from './refusals.ts'

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
  readonly ip: string
  readonly limit?: Standing
  readonly caller: Caller
}

export interface CredentialParts {
  readonly issuer: string
  /** The resource this API is. */
  readonly audience: string
  readonly checkToken: (
    token: string,
    request: { proof?: string; method: string; path: string },
  ) => Promise<CheckedToken>
  readonly isKey: (credential: string) => boolean
  readonly checkKey: (
    credential: string,
    request: {
      ip: string
      userAgent: string
      request: string
      audience: string
      scopes?: readonly string[]
      limit: (key: Key) => Promise<Standing | undefined>
    },
  ) => Promise<Verdict>
  readonly denials: { newRef(): string; note(denial: Denial): Promise<string> }
  readonly findAccount: (id: string) => Promise<Account | undefined>
  readonly limiter: Pick<RateLimiter<'api_credential'>, 'take'>
  readonly now: () => number
  readonly recentSeconds: number
}

export interface Credentials {
  /** A credential of ours that holds the scope; without a scope any of ours. */
  bearer(scope?: string): AccessRule<ApiCaller>
  /** As `bearer`, but only an access token of a person whose interactive sign-in is recent (RFC 9470). */
  recent(scope: string): AccessRule<ApiCaller>
}

export function createCredentials(parts: CredentialParts): Credentials {
  const admit = admitting(parts)
  const rule = (
    name: string,
    describe: string,
    scope: string | undefined,
    check: (ctx: HttpContext) => Promise<ApiCaller>,
  ): AccessRule<ApiCaller> => ({
    name,
    describe,
    ...(scope ? { scopes: [scope] } : {}),
    admit: check,
  })
  return {
    bearer: (scope) =>
      rule(
        `bearer ${scope ?? ''}`.trim(),
        scope ? `A credential of ours with \`${scope}\`.` : 'Any credential of ours.',
        scope,
        (ctx) => admit(ctx, scope),
      ),
    recent: (scope) =>
      rule(
        `bearer ${scope}, recent sign-in`,
        `An access token with \`${scope}\` from a recent interactive sign-in.`,
        scope,
        async (ctx) => {
          const caller = await admit(ctx, scope)
          const isRecent =
            caller.kind === 'access_token' &&
            caller.authTime !== undefined &&
            parts.now() / 1000 - caller.authTime <= parts.recentSeconds
          if (isRecent && caller.account) return caller
          throw await stepUp(parts, ctx, caller)
        },
      ),
  }
}

function admitting(parts: CredentialParts) {
  return async (ctx: HttpContext, scope: string | undefined): Promise<ApiCaller> => {
    const { scheme, credential } = credentialOf(parts, ctx)
    if (!parts.isKey(credential)) return admitToken(parts, ctx, { scheme, token: credential, scope })
    const { ip } = ctx.state
    const verdict = await parts.checkKey(credential, {
      ip,
      userAgent: agentOf(ctx),
      request: requestLine(ctx),
      audience: parts.audience,
      ...(scope ? { scopes: [scope] } : {}),
      limit: (key) => parts.limiter.take('api_credential', key.id),
    })
    tellStanding(ctx, verdict.limit as Standing | undefined)
    if (!verdict.allowed) throw keyRefusal(parts, verdict)
    const { key, scopes } = verdict
    if (verdict.old) tellSunset(ctx, verdict.old)
    const account = await parts.findAccount(key.ownerId)
    return {
      kind: key.kind,
      id: key.id,
      name: key.name,
      ...(account ? { account } : {}),
      scopes,
      audience: key.resource ?? parts.audience,
      createdAt: Math.floor(key.createdAt / 1000),
      expiresAt: Math.floor(key.expiresAt / 1000),
      amr: [],
      key,
      ip,
      ...(verdict.limit ? { limit: verdict.limit as Standing } : {}),
      caller: callerOf(ctx, key.ownerId),
    }
  }
}

interface TokenAttempt {
  readonly scheme: string
  readonly token: string
  readonly scope: string | undefined
}

async function admitToken(
  parts: CredentialParts,
  ctx: HttpContext,
  { scheme, token, scope }: TokenAttempt,
): Promise<ApiCaller> {
  const proof = scheme === 'dpop' ? String(ctx.req.headers['dpop'] ?? '') : undefined
  const checked = await parts.checkToken(token, {
    method: ctx.method,
    path: ctx.state.path,
    ...(proof === undefined ? {} : { proof }),
  })
  if (!checked.ok) throw await tokenRefusal(parts, ctx, checked)
  const { claims } = checked
  const noted = (reason: string, detail?: string) =>
    note(parts, ctx, {
      ownerId: claims.sub,
      credential: `access_token:${claims.jti}`,
      reason,
      ...(detail ? { detail } : {}),
    })
  if (claims.aud !== parts.audience)
    throw invalidToken(parts, 'The access token is not for this API.', await noted('audience_mismatch', claims.aud))
  const limit = await parts.limiter.take('api_credential', `${claims.client_id} ${claims.sub}`)
  tellStanding(ctx, limit)
  if (limit && !limit.allowed) throw rateLimited(limit, await noted('rate_limited'))
  const scopes = claims.scope?.split(' ') ?? []
  if (scope && !scopes.includes(scope)) throw insufficientScope(parts, [scope], await noted('scope_missing', scope))
  const account = claims.sub === claims.client_id ? undefined : await parts.findAccount(claims.sub)
  return {
    kind: 'access_token',
    id: claims.jti,
    name: claims.client_id,
    ...(account ? { account } : {}),
    clientId: claims.client_id,
    scopes,
    audience: claims.aud,
    createdAt: claims.iat,
    expiresAt: claims.exp,
    amr: claims.amr ?? [],
    ...(claims.acr ? { acr: claims.acr } : {}),
    ...(claims.auth_time ? { authTime: claims.auth_time } : {}),
    ...(claims.sid ? { sid: claims.sid } : {}),
    ip: ctx.state.ip,
    ...(limit ? { limit } : {}),
    caller: callerOf(ctx, claims.sub),
  }
}

/** RFC 6750 §2.1: the header, and nothing else; a token in the query is refused wherever it comes. */
function credentialOf(parts: CredentialParts, { req }: HttpContext): { scheme: string; credential: string } {
  const header = req.headers.authorization
  if (header === undefined) throw unauthenticated(parts)
  const [, scheme = '', credential = ''] = /^(Bearer|DPoP) ([\w.~+/=-]{1,8192})$/i.exec(header) ?? []
  if (credential === '') throw invalidToken(parts, 'The Authorization header is not well-formed.', undefined)
  return { scheme: scheme.toLowerCase(), credential }
}

const agentOf = ({ req }: HttpContext) => (req.headers['user-agent'] ?? '').slice(0, 256)
const requestLine = ({ method, state }: HttpContext) => `${method} ${state.route}`

function callerOf(ctx: HttpContext, id: string): Caller {
  return { kind: 'account', id, ip: ctx.state.ip, userAgent: agentOf(ctx), requestId: ctx.state.requestId }
}

type Told = Pick<Denial, 'ownerId' | 'credential' | 'reason' | 'detail'>

function note({ denials, now }: CredentialParts, ctx: HttpContext, told: Told): Promise<string> {
  return denials.note({ ...told, at: now(), ip: ctx.state.ip, userAgent: agentOf(ctx), request: requestLine(ctx) })
}

async function tokenRefusal(
  parts: CredentialParts,
  ctx: HttpContext,
  checked: Extract<CheckedToken, { ok: false }>,
): Promise<AppError> {
  const { fault, claims } = checked
  const errorRef = claims
    ? await note(parts, ctx, { ownerId: claims.sub, credential: `access_token:${claims.jti}`, reason: fault })
    : parts.denials.newRef()
  return invalidToken(
    parts,
    fault === 'expired' ? 'The access token has expired.' : 'The access token is not valid.',
    errorRef,
  )
}

/** RFC 9470 §3: what would satisfy it. A refresh, a key or a personal token never does. */
async function stepUp(parts: CredentialParts, ctx: HttpContext, { account, kind, id }: ApiCaller): Promise<AppError> {
  const told = { ownerId: account?.id ?? id, credential: `${kind}:${id}`, reason: 'step_up_required' }
  const errorRef = await note(parts, ctx, told)
  const fields = {
    error: 'insufficient_user_authentication',
    error_description: 'A more recent sign-in is needed',
    acr_values: 'urn:licet:acr:1fa',
    max_age: String(parts.recentSeconds),
  }
  return new AppError('insufficient_user_authentication', 'Sign in again to do this.', {
    details: { ...challenge(parts, fields), errorRef },
  })
}
