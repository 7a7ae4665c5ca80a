/**
 * Token exchange (RFC 8693): an app of type `service` turns an API key or a personal access token into a short JWT for one resource. The token never
 * holds more than the key does there, never outlives it, and names it in `act`. Access tokens are not exchanged.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { type Allowed, endOf } from '../keys/check.ts'
import type { KeyKind } from '../keys/key.ts'
import type { Clients } from './clients.ts'
import { exchangeRefusal, type KeySource } from './key-source.ts'
import { GRANT_EXCHANGE, type MakeKeyToken } from './key-tokens.ts'
import type { Resources } from './resources.ts'
import type { Resource } from './settings.ts'
import { servedOrRefused, workOf } from './work.ts'

interface ExchangeParts {
  readonly keys: KeySource
  readonly clients: Clients
  readonly resources: Resources
  readonly makeKeyToken: MakeKeyToken
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
}

const PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'scope',
  'resource',
  'audience',
] as const

type Params = Readonly<Partial<Record<(typeof PARAMETERS)[number], unknown>>>

const SUBJECTS: Readonly<Record<string, KeyKind>> = {
  'urn:licet:token-type:api_key': 'api_key',
  'urn:licet:token-type:personal_access_token': 'personal_access_token',
}
const ISSUED = 'urn:ietf:params:oauth:token-type:access_token'
const REQUESTABLE: readonly unknown[] = [undefined, ISSUED, 'urn:ietf:params:oauth:token-type:jwt']

/** Gives `provider` the grant type. */
export function addTokenExchange(provider: Provider, parts: ExchangeParts): void {
  provider.registerGrantType(GRANT_EXCHANGE, (ctx) => servedOrRefused(() => exchange(parts, ctx)), [...PARAMETERS])
}

async function exchange(parts: ExchangeParts, ctx: KoaContextWithOIDC): Promise<void> {
  const params = (ctx.oidc.params ?? {}) as Params
  const kind = takeKind(params)
  const credential = String(params.subject_token)
  const app = await parts.clients.app(ctx.oidc.client?.clientId ?? '')
  if (!app) throw new errors.InvalidClient('client is not known')
  if (app.dpop)
    throw new errors.InvalidRequest('exchanged tokens are not bound to a key, and this app takes bound ones only')
  const resource = await resourceFor(parts, ctx, credential)
  const allowed = await checked(parts, ctx, { credential, resource })
  if (allowed.key.kind !== kind) throw new errors.InvalidRequest('subject_token is not of subject_token_type')
  const asked = scopesOf(params)
  const scopes = asked.length > 0 ? asked : allowed.scopes
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

function takeKind(params: Params): KeyKind {
  if (!params.subject_token) throw new errors.InvalidRequest("missing required parameter(s) 'subject_token'")
  if (!params.subject_token_type) throw new errors.InvalidRequest("missing required parameter(s) 'subject_token_type'")
  const type = String(params.subject_token_type)
  const kind = Object.hasOwn(SUBJECTS, type) ? SUBJECTS[type] : undefined
  if (!kind) throw new errors.InvalidRequest(`subject_token_type must be one of ${Object.keys(SUBJECTS).join(', ')}`)
  if (params.actor_token !== undefined) throw new errors.InvalidRequest('actor_token is not supported')
  if (!REQUESTABLE.includes(params.requested_token_type))
    throw new errors.InvalidRequest('requested_token_type can only be an access token')
  return kind
}

const scopesOf = ({ scope }: Params): string[] => [
  ...new Set(
    String(scope ?? '')
      .split(' ')
      .filter(Boolean),
  ),
]

/** What was asked for (`audience` is another word for it here), else the one the key is bound to, else the default. */
async function resourceFor(
  { keys, resources, factsOf }: ExchangeParts,
  ctx: KoaContextWithOIDC,
  credential: string,
): Promise<Resource> {
  const { resource, audience } = (ctx.oidc.params ?? {}) as Params
  const named = [resource, audience].filter((one) => one !== undefined)
  if (named.length > 0) {
    const found = new Set(named.map((one) => (typeof one === 'string' ? resources.find(one) : undefined)))
    const [only] = found
    if (found.size > 1 || !only) throw new errors.InvalidTarget()
    return only
  }
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
  workOf(ctx).errorRef = verdict.errorRef
  throw exchangeRefusal(verdict)
}
