/**
 * Why an endpoint for programs refused what was shown to it. The caller gets a short reference and the error of the specification, the same for an
 * unknown, an ended and a stolen credential; the cause is kept behind the reference by whoever gave `denials`, for the owner of the credential and
 * nobody else. What belongs to nobody has a reference that leads nowhere: outside they look the same.
 */
import { type AdapterPayload, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { AccessTokenClaims, AccessTokens } from './access-tokens.ts'
import type { AccountSource } from './accounts.ts'
import { artefactId, type Model, models, openArtefact } from './artefacts.ts'
import { type AppSource, GRANT_DEVICE } from './clients.ts'
import { createEndOf } from './endings.ts'
import { addErrorRef } from './token-response.ts'
import { mayKnow } from './token-status.ts'
import { workOf } from './work.ts'

/** A refused credential and its owner; the credential itself appears nowhere. */
interface Cause {
  readonly ownerId: string
  /** `refresh_token:<id of its grant>`, `authorization_code:<id of its grant>`, `access_token:<jti>`, `app:<client id>`. */
  readonly credential: string
  readonly reason: string
  readonly detail?: string
}

interface RefusedCredential extends Cause {
  readonly at: number
  readonly ip: string
  readonly userAgent: string
  readonly request: string
}

/** Keeps refusals for their owners. */
export interface DenialNotes {
  note(denial: RefusedCredential): Promise<string>
  /** The reference at once: the time of the answer does not tell that there was something to keep. */
  noteAside(denial: RefusedCredential): string
  /** A reference that leads nowhere, for what has no owner. */
  newRef(): string
}

interface DenialParts {
  readonly store: Pick<Store, 'find'>
  readonly vault: Vault
  readonly now: () => number
  readonly accounts: AccountSource
  readonly apps: AppSource
  readonly tokens: () => AccessTokens
  readonly denials: DenialNotes
  readonly retryWindowSeconds: number
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
  /** Answers name the reason, for developers (`LICET_DEBUG`). */
  readonly explain: boolean
}

/** Answers that tell an app to go on: nothing was denied. */
const NO_DENIALS: ReadonlySet<unknown> = new Set(['authorization_pending', 'slow_down', 'use_dpop_nonce'])

/** Errors that come before what was shown is looked at. */
const ABOUT_THE_APP: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client', 'temporarily_unavailable'])

/** What an error about the app itself, or about what it asked for, is called where the owner reads it. */
const reasons: Readonly<Record<string, string>> = {
  invalid_client: 'app_not_authenticated',
  unauthorized_client: 'grant_type_not_allowed',
  invalid_scope: 'scope_missing',
  insufficient_scope: 'scope_missing',
  invalid_target: 'audience_mismatch',
  invalid_dpop_proof: 'dpop_mismatch',
  temporarily_unavailable: 'rate_limited',
}

/** After everything about a refused request has been settled: gives its answer a reference. */
export function createDenials(parts: DenialParts) {
  const causeOf = createCauses(parts)
  const { denials, now, factsOf, explain } = parts
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { error, active } = (ctx.body ?? {}) as { error?: unknown; active?: unknown }
    const work = workOf(ctx)
    if (ctx.oidc?.route === 'introspection' && active === false) return tellInactive(ctx)
    if (ctx.status < 400 || ctx.status >= 500 || typeof error !== 'string' || NO_DENIALS.has(error)) return
    const cause = work.errorRef === undefined ? await causeOf(ctx, error) : undefined
    if (error === 'invalid_request' && !cause && work.errorRef === undefined) return
    work.errorRef ??= await noted(ctx, cause)
    const reason = cause?.reason ?? work.reason ?? work.refused
    if (explain && reason !== undefined) ctx.body = { ...(ctx.body as object), reason }
    addErrorRef(ctx)
  }

  async function noted(ctx: KoaContextWithOIDC, cause: Cause | undefined): Promise<string> {
    if (!cause) return denials.newRef()
    const { ip, userAgent } = factsOf(ctx.req)
    const denial = { ...cause, at: now(), ip, userAgent, request: `${ctx.method} ${ctx.path}` }
    return cause.credential.startsWith('app:') ? denials.noteAside(denial) : denials.note(denial)
  }

  /** RFC 7662 §2.2: the answer about an inactive token says nothing more; the reference that its holder can be given stands beside it. */
  async function tellInactive(ctx: KoaContextWithOIDC): Promise<void> {
    ctx.set('X-Licet-Error-Ref', workOf(ctx).errorRef ?? (await noted(ctx, await causeOf(ctx, ''))))
  }
}

/** Whose the refused credential is, and what was wrong with it; undefined where nobody can be told. */
function createCauses({ store, vault, now, accounts, apps, tokens, retryWindowSeconds }: DenialParts) {
  const endOf = createEndOf({ store, accounts, apps })
  return async (ctx: KoaContextWithOIDC, error: string): Promise<Cause | undefined> => {
    const { route, params = {} } = ctx.oidc
    if (route === 'userinfo')
      return ofAccessToken(/^(?:Bearer|DPoP) (\S+)$/i.exec(ctx.get('authorization'))?.[1], error)
    if (route === 'introspection' && error === '') return ofIntrospected(ctx)
    if (!ctx.oidc.client || ABOUT_THE_APP.has(error)) return ofApp(ctx, error)
    const grant = params['grant_type']
    if (route === 'token' && grant === 'refresh_token') return ofRefreshToken(ctx, error)
    if (route === 'token' && grant === 'authorization_code') return ofCode(ctx, 'AuthorizationCode', params['code'])
    if (route === 'token' && grant === GRANT_DEVICE) return ofCode(ctx, 'DeviceCode', params['device_code'])
    return ofApp(ctx, error)
  }

  async function ofApp(ctx: KoaContextWithOIDC, error: string): Promise<Cause | undefined> {
    const reason = reasons[error]
    const app = reason === undefined ? undefined : await apps.find(presentedApp(ctx))
    if (!reason || !app?.ownerId) return undefined
    const detail = workOf(ctx).refused
    return {
      ownerId: app.ownerId,
      credential: `app:${app.clientId}`,
      reason: error === 'invalid_client' && app.suspended ? 'app_suspended' : reason,
      ...(detail === undefined ? {} : { detail }),
    }
  }

  async function ofRefreshToken(ctx: KoaContextWithOIDC, error: string): Promise<Cause | undefined> {
    const found = presented(ctx, 'RefreshToken', ctx.oidc.params?.['refresh_token'])
    if (!found?.token.accountId) return undefined
    const { token, consumedAt } = found
    const said = error === 'invalid_grant' ? undefined : reasons[error]
    const reason = said ?? (await reasonOfRefresh(token, consumedAt, ctx.oidc.client?.clientId))
    return { ownerId: token.accountId ?? '', credential: `refresh_token:${token.grantId}`, reason }
  }

  async function reasonOfRefresh(token: AdapterPayload, consumedAt: number | undefined, clientId: string | undefined) {
    if (token.clientId !== clientId) return 'app_mismatch'
    const isRetry = consumedAt !== undefined && now() - consumedAt <= retryWindowSeconds * 1000
    if (consumedAt !== undefined) return isRetry ? 'rotated_out' : 'family_revoked_by_reuse'
    return (await endOf(token)) ?? ((token.exp ?? Infinity) * 1000 <= now() ? 'expired' : 'not_accepted')
  }

  async function ofCode(ctx: KoaContextWithOIDC, model: Model, value: unknown): Promise<Cause | undefined> {
    const found = presented(ctx, model, value)
    if (!found?.token.accountId) return undefined
    const { token, consumedAt, kind } = found
    const reason = await reasonOfCode(ctx, token, consumedAt)
    return { ownerId: token.accountId ?? '', credential: `${kind}:${token.grantId}`, reason }
  }

  async function reasonOfCode(ctx: KoaContextWithOIDC, token: AdapterPayload, consumedAt: number | undefined) {
    const { redemption, refused } = workOf(ctx)
    if (token.clientId !== ctx.oidc.client?.clientId) return 'app_mismatch'
    // Marked for redemption and refused all the same: another request was first.
    if (consumedAt !== undefined || redemption !== undefined) return 'already_used'
    return saidBy(refused) ?? (await endOf(token)) ?? 'not_accepted'
  }

  /** Only for whoever may learn about the token: others cannot fill its owner's list. */
  async function ofIntrospected(ctx: KoaContextWithOIDC): Promise<Cause | undefined> {
    const token = String(ctx.oidc.params?.['token'] ?? '')
    const [caller, checked] = await Promise.all([apps.find(ctx.oidc.client?.clientId ?? ''), tokens().check(token)])
    return caller && checked.claims && mayKnow(caller, checked.claims) ? ofAccessToken(token, '') : undefined
  }

  async function ofAccessToken(token: string | undefined, error: string): Promise<Cause | undefined> {
    const checked = token === undefined ? undefined : await tokens().check(token)
    const claims = checked?.claims
    const ownerId = claims && (await ownerOf(claims))
    if (!checked || !ownerId) return undefined
    const reason = checked.ok ? (reasons[error] ?? boundReason(claims)) : checked.fault
    return { ownerId, credential: `access_token:${claims.jti}`, reason }
  }

  /** The person it speaks for; where an app speaks for itself, whoever owns the app. */
  async function ownerOf({ sub, client_id: clientId }: AccessTokenClaims): Promise<string | undefined> {
    return sub === clientId ? (await apps.find(clientId))?.ownerId : sub
  }

  /** The library may not have come so far as to look: then nobody has proven to hold anything. */
  function presented(ctx: KoaContextWithOIDC, model: Model, value: unknown) {
    const { kind } = models[model]
    const stored = workOf(ctx).loaded.get(`${kind}:${artefactId(model, String(value))}`)
    const token = stored && openArtefact(vault, model, stored.value)
    return token && { kind, token, consumedAt: stored.value.consumedAt }
  }
}

const boundReason = ({ cnf }: AccessTokenClaims): string => (cnf?.jkt ? 'dpop_mismatch' : 'not_accepted')

/** The library's own words for what did not fit, as reasons. */
function saidBy(detail: string | undefined): string | undefined {
  const said = (detail ?? '').toLowerCase()
  if (said.includes('expired')) return 'expired'
  if (said.includes('redirect_uri')) return 'redirect_uri_mismatch'
  if (said.includes('pkce') || said.includes('code_verifier')) return 'code_verifier_mismatch'
  return said.includes('jkt') || said.includes('dpop') ? 'dpop_mismatch' : undefined
}

/** The app that the request names, authenticated or not. */
function presentedApp(ctx: KoaContextWithOIDC): string {
  if (ctx.oidc.client) return ctx.oidc.client.clientId
  const named = ctx.oidc.params?.['client_id']
  if (typeof named === 'string') return named
  const [, basic = ''] = /^Basic ([\w+/=]{1,2048})$/i.exec(ctx.get('authorization')) ?? []
  return decoded(Buffer.from(basic, 'base64').toString('utf8').split(':', 1)[0] ?? '')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'))
  } catch {
    return ''
  }
}

/** The events that the library tells its refusals by, at the endpoints for programs. */
export const refusalEvents = [
  'grant.error',
  'userinfo.error',
  'introspection.error',
  'revocation.error',
  'device_authorization.error',
  'pushed_authorization_request.error',
] as const

/** The library's listener for its error events: what it says inside about a refusal. */
export function noteRefusal(ctx: KoaContextWithOIDC, error: unknown): void {
  if (!(error instanceof errors.OIDCProviderError)) return
  const said = error.error_detail ?? error.error_description
  if (said !== undefined) workOf(ctx).refused = said
}
