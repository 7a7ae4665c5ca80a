/**
 * Identity assertions (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant; MCP enterprise-managed authorization): the identity provider of an
 * enterprise says what an app may do for one of its people here, and no page asks that person. It counts for the app it names, for the resource it
 * names, once. No refresh token comes out (a new assertion does). The person reads of it in the activity; without a consent beside it there is no row to stop.
 */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { vendorOf } from '../apps/vendor.ts'
import type { AssertedClaims, Verified } from '../federation/assertions.ts'
import type { Federation } from '../federation/federation.ts'
import { mayPresent } from '../federation/trusted-issuer.ts'
import { randomId } from '../secrets.ts'
import { type AccountSource, stands } from './accounts.ts'
import type { Clients } from './clients.ts'
import type { ProtocolEvents } from './events.ts'
import { consentId } from './grants.ts'
import { mayHold } from './plan.ts'
import type { createProvenKey } from './proofs.ts'
import { IDENTITY_SCOPES, type Resources } from './resources.ts'
import type { Resource } from './settings.ts'
import type { MakeToken } from './token-maker.ts'
import { vendorId } from './vendors.ts'
import { servedOrRefused, workOf } from './work.ts'
import { GRANT_JWT_BEARER, ID_JAG_TYPE } from './workloads.ts'

interface AssertionParts {
  readonly federation: Federation
  readonly clients: Clients
  readonly resources: Resources
  readonly accounts: AccountSource
  readonly make: MakeToken
  readonly provenKey: ReturnType<typeof createProvenKey>
  readonly onAsserted: ProtocolEvents['asserted']
  readonly now: () => number
}

/** Gives `provider` the grant type. */
export function addIdentityAssertion(provider: Provider, parts: AssertionParts): void {
  const handler = (ctx: KoaContextWithOIDC) => servedOrRefused(() => redeem(parts, ctx))
  provider.registerGrantType(GRANT_JWT_BEARER, handler, ['assertion', 'scope', 'resource'])
}

async function redeem(parts: AssertionParts, ctx: KoaContextWithOIDC): Promise<void> {
  const params = ctx.oidc.params ?? {}
  const app = await parts.clients.app(ctx.oidc.client?.clientId ?? '')
  if (!app) throw new errors.InvalidClient('client is not known')
  if (typeof params['assertion'] !== 'string')
    throw new errors.InvalidRequest("missing required parameter(s) 'assertion'")
  const verified = await verify(parts, app, params['assertion'])
  const resource = await resourceOf(parts.resources, verified.claims, params['resource'])
  const account = await accountOf(parts, verified)
  const scopes = scopesFor(parts.resources, {
    app,
    account,
    resource,
    claims: verified.claims,
    wished: params['scope'],
  })
  const jkt = await boundKey(parts, ctx, app)
  if (!(await parts.federation.assertions.use(verified))) throw refused()
  const { issuer } = verified.issuer
  await parts.onAsserted(ctx, { accountId: account.id, issuer, resource: resource.identifier, scopes })
  const grantId = await newFamily(ctx, { account, app, resource, scopes, issuer })
  const made = await parts.make({
    subject: account.id,
    app,
    clientId: app.clientId,
    grantType: GRANT_JWT_BEARER,
    scopes,
    resource,
    lifetimeSeconds: resource.accessTokenSeconds,
    endsAt: Number.MAX_SAFE_INTEGER,
    grantId,
    // How and when the person signed in there is not for us to vouch for: no `acr`, no `auth_time`, nothing that would count as a sign-in (FE10).
    claims: {
      ...(jkt ? { cnf: { jkt } } : {}),
      ...(app.agent ? { act: { sub: app.clientId } } : {}),
      ...(app.mayAct ? { may_act: { sub: app.mayAct } } : {}),
    },
  })
  ctx.body = {
    access_token: made.token,
    token_type: jkt ? 'DPoP' : 'Bearer',
    expires_in: made.expiresIn,
    scope: scopes.join(' '),
  }
}

/** Whatever is wrong with the assertion is one answer (RFC 7523 §3.1). */
const refused = () => new errors.InvalidGrant('the assertion is not accepted')

/** For this app, of an issuer that may say so. */
async function verify({ federation }: AssertionParts, app: App, assertion: string): Promise<Verified> {
  const verified = await federation.assertions.verify(assertion, [ID_JAG_TYPE])
  if (!verified || !mayPresent(verified.issuer, app) || verified.claims['client_id'] !== app.clientId) throw refused()
  return verified
}

/** The resource it names must be ours, and what the request names is no other: audience and resource are one pair. */
async function resourceOf(resources: Resources, claims: AssertedClaims, wished: unknown): Promise<Resource> {
  const named = claims['resource']
  const resource = typeof named === 'string' ? await resources.look(named) : undefined
  if (!resource) throw refused()
  if (
    wished !== undefined &&
    (typeof wished !== 'string' || (await resources.look(wished))?.identifier !== resource.identifier)
  )
    throw new errors.InvalidTarget()
  return resource
}

/** By the link of issuer and subject; by address only where the operator allows it. */
async function accountOf({ federation, accounts }: AssertionParts, { issuer, claims }: Verified): Promise<Account> {
  const id = await federation.links.resolve(issuer.issuer, claims, issuer.idJag?.linkByEmail ?? false)
  const account = id === undefined ? undefined : await accounts.find(id)
  if (!stands(account, undefined) || !account.emailVerified) throw refused()
  return account
}

interface Wish {
  readonly app: App
  readonly account: Account
  readonly resource: Resource
  readonly claims: AssertedClaims
  readonly wished: unknown
}

/** Asserted ∩ asked ∩ what the app may have there and the person may hold. A scope that the resource does not have makes the assertion wrong. */
function scopesFor(resources: Resources, { app, account, resource, claims, wished }: Wish): readonly string[] {
  const listed = (text: unknown) => [...new Set(typeof text === 'string' ? text.split(' ').filter(Boolean) : [])]
  const said = claims['scope']
  if (said !== undefined && typeof said !== 'string') throw refused()
  const asserted = listed(said).filter((scope) => !IDENTITY_SCOPES.includes(scope))
  if (asserted.some((scope) => !resource.scopes.includes(scope))) throw refused()
  const most = asserted.length > 0 ? asserted : resources.standardScopes(app, resource)
  const asked = listed(wished)
  const allowed = resources.allowed(app, resource).filter((scope) => mayHold(resources, scope, account))
  const scopes = most.filter((scope) => allowed.includes(scope) && (asked.length === 0 || asked.includes(scope)))
  if (scopes.length === 0) throw new errors.InvalidScope('nothing of the requested scope is asserted and allowed', '')
  return scopes
}

async function boundKey({ provenKey }: AssertionParts, ctx: KoaContextWithOIDC, app: App): Promise<string | undefined> {
  const proof = ctx.get('dpop')
  if (proof === '' && !app.dpop) return undefined
  if (proof === '') throw new errors.InvalidRequest('DPoP proof JWT is required')
  const jkt = await provenKey({ proof, method: ctx.method, path: ctx.path })
  if (!jkt) throw new errors.InvalidDpopProof('invalid DPoP proof')
  return jkt
}

interface Family {
  readonly account: Account
  readonly app: App
  readonly resource: Resource
  readonly scopes: readonly string[]
  readonly issuer: string
}

/** A family of its own for each assertion: it lives as long as its one token, and is found by account and app when one of them ends it. */
async function newFamily(ctx: KoaContextWithOIDC, { account, app, resource, scopes, issuer }: Family): Promise<string> {
  const grant = new ctx.oidc.provider.Grant({ accountId: account.id, clientId: app.clientId })
  const grantId = randomId()
  Object.assign(grant, { jti: grantId, expiresIn: resource.accessTokenSeconds })
  grant.addResourceScope(resource.identifier, scopes.join(' '))
  workOf(ctx).grantFields = {
    consentId: consentId(account.id, app.clientId),
    vendorId: vendorId(account.id, vendorOf(app).key),
    assertedBy: issuer,
    bound: false,
  }
  await grant.save()
  return grantId
}
