/**
 * Token exchange (RFC 8693): an app of type `service` turns an API key or a personal access token into a short JWT for one resource. The token never
 * holds more than the key does there, never outlives it, and names it in `act`. Access tokens of ours are `delegation.ts`'s.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { type Allowed, endOf } from '../keys/check.ts'
import type { KeyKind } from '../keys/key.ts'
import { sunsetHeaders } from '../overlap.ts'
import type { Clients } from './clients.ts'
import type { Delegate } from './delegation.ts'
import { ISSUED, PARAMETERS, type Params, requestedResource, scopesOf, subjectType } from './exchange-request.ts'
import { exchangeRefusal, type KeySource } from './key-source.ts'
import { GRANT_EXCHANGE, type MakeKeyToken } from './key-tokens.ts'
import type { Resources } from './resources.ts'
import type { Resource } from './settings.ts'
import { servedOrRefused, workOf } from './work.ts'
import { withinWorkload } from './workloads.ts'

interface ExchangeParts {
  readonly keys: KeySource
  readonly clients: Clients
  readonly resources: Resources
  readonly makeKeyToken: MakeKeyToken
  /** Exchanges an access token of ours. */
  readonly delegate: Delegate
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
}

const SUBJECTS: Readonly<Record<string, KeyKind>> = {
  'urn:licet:token-type:api_key': 'api_key',
  'urn:licet:token-type:personal_access_token': 'personal_access_token',
}
/** Gives `provider` the grant type. */
export function addTokenExchange(provider: Provider, parts: ExchangeParts): void {
  provider.registerGrantType(GRANT_EXCHANGE, (ctx) => servedOrRefused(() => exchange(parts, ctx)), [...PARAMETERS])
}

async function exchange(parts: ExchangeParts, ctx: KoaContextWithOIDC): Promise<void> {
  const params = (ctx.oidc.params ?? {}) as Params
  const type = subjectType(params, [...Object.keys(SUBJECTS), ISSUED])
  const app = await parts.clients.app(ctx.oidc.client?.clientId ?? '')
  if (!app) throw new errors.InvalidClient('client is not known')
  if (type === ISSUED) return parts.delegate(ctx, app)
  if (params.actor_token !== undefined) throw new errors.InvalidRequest('actor_token is not supported')
  const kind = SUBJECTS[type]
  const credential = String(params.subject_token)
  if (app.dpop)
    throw new errors.InvalidRequest('exchanged tokens are not bound to a key, and this app takes bound ones only')
  const resource = await resourceFor(parts, ctx, credential)
  const allowed = await checked(parts, ctx, { credential, resource })
  if (allowed.old) ctx.set(sunsetHeaders(allowed.old))
  if (allowed.key.kind !== kind) throw new errors.InvalidRequest('subject_token is not of subject_token_type')
  const asked = scopesOf(params)
  const wanted = asked.length > 0 ? asked : allowed.scopes
  const scopes = withinWorkload(ctx, wanted)
  if (asked.length > scopes.length) throw new errors.InvalidScope('this program may not have every requested scope', '')
  if (scopes.length === 0) throw new errors.InvalidTarget('the subject token holds no scope of this resource')
  const made = await parts.makeKeyToken({
    accountId: allowed.owner.id,
    credential: allowed.credential,
    app,
    scopes,
    resource,
    endsAt: endOf(allowed),
  })
  ctx.body = {
    access_token: made.token,
    issued_token_type: ISSUED,
    token_type: 'Bearer',
    expires_in: made.expiresIn,
    scope: scopes.join(' '),
  }
}

/** What was asked for (`audience` is another word for it here), else the one the key is bound to, else the default. */
async function resourceFor(
  { keys, resources, factsOf }: ExchangeParts,
  ctx: KoaContextWithOIDC,
  credential: string,
): Promise<Resource> {
  const named = await requestedResource(resources, (ctx.oidc.params ?? {}) as Params)
  if (named) return named
  const { key } = await keys.explain(credential, { ip: factsOf(ctx.req).ip })
  return (key?.resource === undefined ? undefined : resources.find(key.resource)) ?? resources.standard
}

async function checked(
  { keys, factsOf }: ExchangeParts,
  ctx: KoaContextWithOIDC,
  { credential, resource }: { credential: string; resource: Resource },
): Promise<Allowed> {
  const { ip, userAgent } = factsOf(ctx.req)
  const scopes = scopesOf((ctx.oidc.params ?? {}) as Params)
  const request = { ip, userAgent, request: 'POST /token', audience: resource.identifier, scopes }
  const verdict = await keys.check(credential, request)
  if (verdict.allowed) return verdict
  const work = workOf(ctx)
  work.errorRef = verdict.errorRef
  work.reason = verdict.reason
  throw exchangeRefusal(verdict)
}
