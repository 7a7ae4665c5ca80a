/**
 * Token exchange with an access token of ours (RFC 8693): an app of type `service` that was called with a person's token gets one of its own, to
 * call further on. It always acts and is always named (`act`): nobody becomes somebody else (there is no impersonation, RFC 8693 §1.1).
 * What comes out never holds more than what went in, in nothing: scopes, life, key, how the person signed in, what ends it.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import { type AccessTokenClaims, type AccessTokens, type CheckedToken, grantOf } from './access-tokens.ts'
import type { Delegated } from './acting.ts'
import { type Actor, actorsOf, MOST_ACTORS } from './actors.ts'
import type { DenialNotes } from './denied.ts'
import { ISSUED, type Params, requestedResource, scopesOf } from './exchange-request.ts'
import { GRANT_EXCHANGE, LONGEST_SECONDS } from './key-tokens.ts'
import type { createProvenKey } from './proofs.ts'
import { IDENTITY_SCOPES, type Resources } from './resources.ts'
import type { Resource } from './settings.ts'
import type { MakeToken } from './token-maker.ts'
import { workOf } from './work.ts'
import { withinWorkload } from './workloads.ts'

export interface DelegationParts {
  readonly tokens: () => AccessTokens
  readonly resources: Resources
  readonly make: MakeToken
  readonly provenKey: ReturnType<typeof createProvenKey>
  readonly denials: DenialNotes
  readonly onDelegated: (ctx: KoaContextWithOIDC, delegated: Delegated) => Promise<void>
  readonly lifetimeSeconds: number
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
  readonly now: () => number
}

export type Delegate = (ctx: KoaContextWithOIDC, app: App) => Promise<void>

export function createDelegation(parts: DelegationParts): Delegate {
  return async (ctx, app) => {
    const params = (ctx.oidc.params ?? {}) as Params
    const { claims: subject, family } = await subjectOf(parts, ctx, params)
    const refuse = (reason: string) => refuseSubject(parts, ctx, subject, reason)
    await checkActor(parts, app, params)
    const jkt = await boundKey(parts, ctx, app, subject)
    if (!(await mayActWith(parts.resources, app, subject))) throw await refuse('may_not_act')
    if (actorsOf(subject.act).length >= MOST_ACTORS) throw await refuse('too_many_actors')
    const resource = (await requestedResource(parts.resources, params)) ?? (await parts.resources.look(subject.aud))
    if (!resource) throw new errors.InvalidTarget()
    const scopes = delegatedScopes(parts.resources, { ctx, app, subject, resource, asked: scopesOf(params) })
    const { acr, amr, sid, auth_time: authTime } = subject
    const grantId = grantOf(subject)
    const act: Actor = { sub: app.clientId, ...(subject.act ? { act: subject.act } : {}) }
    const made = await parts.make({
      subject: subject.sub,
      app,
      clientId: app.clientId,
      grantType: GRANT_EXCHANGE,
      scopes,
      resource,
      lifetimeSeconds: Math.min(parts.lifetimeSeconds, LONGEST_SECONDS),
      endsAt: subject.exp * 1000,
      ...(grantId ? { grantId } : {}),
      claims: {
        act,
        exchanged_from: [subject.jti, ...(subject.exchanged_from ?? [])],
        ...(app.mayAct ? { may_act: { sub: app.mayAct } } : {}),
        ...(jkt ? { cnf: { jkt } } : {}),
        ...(authTime ? { auth_time: authTime } : {}),
        ...(acr ? { acr } : {}),
        ...(amr ? { amr } : {}),
        ...(sid ? { sid } : {}),
      },
    })
    await parts.onDelegated(ctx, {
      subject,
      act,
      resource: resource.identifier,
      scopes,
      ...(family ? { family } : {}),
    })
    ctx.body = {
      access_token: made.token,
      issued_token_type: ISSUED,
      token_type: jkt ? 'DPoP' : 'Bearer',
      expires_in: made.expiresIn,
      scope: scopes.join(' '),
    }
  }
}

type Standing = Extract<CheckedToken, { ok: true }>

/** The subject token as it stands at this moment. Whatever is wrong with it is the same answer (RFC 8693 §2.2.2). */
async function subjectOf(parts: DelegationParts, ctx: KoaContextWithOIDC, params: Params): Promise<Standing> {
  const checked = await parts.tokens().check(String(params.subject_token))
  if (!checked.ok) throw await refuseSubject(parts, ctx, checked.claims, checked.fault)
  // The tolerance is for those who check a token; nothing is made from one that has ended.
  if (checked.claims.exp * 1000 <= parts.now()) throw await refuseSubject(parts, ctx, checked.claims, 'expired')
  return checked
}

async function refuseSubject(
  { denials, factsOf, now }: DelegationParts,
  ctx: KoaContextWithOIDC,
  claims: AccessTokenClaims | undefined,
  reason: string,
): Promise<Error> {
  const { ip, userAgent } = factsOf(ctx.req)
  workOf(ctx).reason = reason
  workOf(ctx).errorRef = claims
    ? await denials.note({
        ownerId: claims.sub,
        credential: `access_token:${claims.jti}`,
        reason,
        at: now(),
        ip,
        userAgent,
        request: 'POST /token',
      })
    : denials.newRef()
  return new errors.InvalidRequest('the subject token is not valid for this app')
}

/** The actor is the app that asks. A token that says so may come along (it got it by client credentials); one of anybody else is refused. */
async function checkActor({ tokens }: DelegationParts, app: App, params: Params): Promise<void> {
  if (params.actor_token === undefined) {
    if (params.actor_token_type !== undefined)
      throw new errors.InvalidRequest('actor_token_type without actor_token (RFC 8693 §2.1)')
    return
  }
  if (params.actor_token_type !== ISSUED) throw new errors.InvalidRequest(`actor_token_type must be ${ISSUED}`)
  const checked = await tokens().check(String(params.actor_token))
  const isItself = checked.ok && checked.claims.sub === app.clientId && checked.claims.client_id === app.clientId
  if (!isItself || checked.claims.act !== undefined || checked.claims.cnf !== undefined)
    throw new errors.InvalidRequest('the actor token is not valid: it must be of the app that asks')
}

/** A bound token is exchanged by the holder of its key, and what comes out is bound to it; another token may be bound here (RFC 9449 §5). */
async function boundKey(
  parts: DelegationParts,
  ctx: KoaContextWithOIDC,
  app: App,
  subject: AccessTokenClaims,
): Promise<string | undefined> {
  const proof = ctx.get('dpop')
  const bound = subject.cnf?.jkt
  if (proof === '') {
    if (bound) throw await refuseSubject(parts, ctx, subject, 'dpop_mismatch')
    if (app.dpop) throw new errors.InvalidRequest('DPoP proof JWT is required')
    return undefined
  }
  const jkt = await parts.provenKey({ proof, method: ctx.method, path: ctx.path })
  if (!jkt) throw new errors.InvalidDpopProof('invalid DPoP proof')
  if (bound && jkt !== bound) throw await refuseSubject(parts, ctx, subject, 'dpop_mismatch')
  return jkt
}

/**
 * Who may act with a token: the app it names (`may_act`), or the one it was meant for, if an operator lets that app act for the one it was issued
 * to. A token that strayed to an app is worth nothing to it, and an app cannot be made to use one it was not meant to get (confused deputy).
 */
async function mayActWith(
  resources: Resources,
  app: App,
  { may_act: named, aud, client_id: clientId }: AccessTokenClaims,
): Promise<boolean> {
  if (named?.sub === app.clientId) return true
  const own = app.resourceServer === undefined ? undefined : await resources.look(app.resourceServer)
  const isMeantForIt = own?.identifier === aud
  return isMeantForIt && (app.actsFor ?? []).some((one) => one === clientId || one === '*')
}

interface Wanted {
  readonly ctx: object
  readonly app: App
  readonly subject: AccessTokenClaims
  readonly resource: Resource
  readonly asked: readonly string[]
}

/** Subject's ∩ the actor's registered ∩ the resource's; who the person is stays with the app they told it to. */
function delegatedScopes(resources: Resources, { ctx, app, subject, resource, asked }: Wanted): readonly string[] {
  const registered = new Set([...app.scopes, ...app.optionalScopes])
  const own = withinWorkload(ctx, resources.allowed(app, resource)).filter((scope) => registered.has(scope))
  if (own.length === 0) throw new errors.InvalidTarget('this app has no scope of that resource')
  const held = new Set((subject.scope ?? '').split(' ').filter((scope) => !IDENTITY_SCOPES.includes(scope)))
  const both = own.filter((scope) => held.has(scope))
  const beyond = asked.find((scope) => !both.includes(scope))
  if (beyond !== undefined)
    throw new errors.InvalidScope('the subject token and this app do not both hold the requested scope', beyond)
  if (both.length === 0)
    throw new errors.InvalidScope('the subject token and this app hold no scope of that resource together', '')
  return asked.length > 0 ? asked : both
}
