/**
 * Builds one provider over one set of keys: the library's class, our configuration, and the overrides that its options do not reach.
 * Nothing here keeps state, so a provider is replaced when the keys change (`engine.ts`).
 */
import type { JWK } from 'jose'
import { type Adapter, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Shims } from '../shims.ts'
import type { AccessTokens } from './access-tokens.ts'
import { type AdapterParts, createArtefactAdapter } from './adapter.ts'
import { artefactId, type Model, models } from './artefacts.ts'
import { replaceReplayDetection } from './assertions.ts'
import { replaceSecrets } from './client-secrets.ts'
import type { Clients } from './clients.ts'
import { COOKIES, type ConfigurationParts, createConfiguration } from './configuration.ts'
import { consentedGrants } from './consented-grants.ts'
import { replaceContext } from './context.ts'
import type { Middleware } from './endpoints.ts'
import { keepClients } from './kept-clients.ts'
import { type NoticeQueue, queueBackchannelLogout } from './logout.ts'
import { judgeRedirects } from './redirects.ts'
import type { Resources } from './resources.ts'
import { createSessionAdapter } from './session-adapter.ts'
import type { LimitSessions } from './session-limit.ts'
import type { Standings } from './standing.ts'
import { currentContext, currentWork, servedOrRefused } from './work.ts'
import type { Workloads } from './workloads.ts'

export interface ProviderParts extends AdapterParts {
  readonly issuer: string
  readonly jwks: readonly JWK[]
  readonly configuration: Omit<ConfigurationParts, 'adapter' | 'jwks'>
  readonly endpoints: readonly Middleware[]
  readonly clients: Clients
  readonly workloads: Workloads
  readonly resources: Resources
  readonly standings: Standings
  readonly shims: Shims
  readonly tokens: () => AccessTokens
  readonly notices: NoticeQueue
  readonly verifySecret: (app: App, secret: string, ctx: KoaContextWithOIDC | undefined) => Promise<boolean>
  /** Refuses a device that polls too fast. */
  readonly pollGate: (deviceCodeId: string) => Promise<void>
  /** Before a session ends by its own browser: what was limited to it ends first, so that a sign-out cut short can be repeated. */
  readonly onSignOut: (sessionUid: string) => Promise<void>
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
  readonly limitSessions: LimitSessions
  /**
   * Counts a request of an app at the token endpoint; throws beyond the limit. Called once the app has proved itself, so that nobody uses up the
   * limit of another; apps that cannot prove themselves, and unknown ones, are counted by `address` as well.
   */
  readonly admitClient: (ctx: KoaContextWithOIDC, clientId: string, address?: string) => Promise<void>
}

export function createProvider(parts: ProviderParts): Provider {
  const provider = new Provider(
    parts.issuer,
    createConfiguration({ ...parts.configuration, jwks: parts.jwks, adapter: (name) => adapterFor(parts, name) }),
  )
  pinRequest(provider, parts)
  replaceContext(provider, parts)
  judgeRedirects(provider, parts.shims)
  replaceReplayDetection(provider, parts.store)
  queueBackchannelLogout(provider, parts.notices)
  keepClients(provider, (id) => findClient(parts, id))
  replaceSecrets(provider, parts)
  steadySessions(provider, parts)
  keepFormSessions(provider, parts)
  for (const middleware of parts.endpoints) provider.use(middleware as never)
  return provider
}

function adapterFor(parts: ProviderParts, name: string): Adapter {
  if (name === 'Session') return createSessionAdapter(parts)
  if (name === 'AccessToken') return readOnly((id) => findAccessToken(parts, id))
  if (name === 'DeviceCode') return gatedDeviceCodes(parts)
  if (name === 'PushedAuthorizationRequest') return lastingPushedRequests(parts)
  if (name === 'Grant') return consentedGrants(createArtefactAdapter(parts, 'Grant'), parts.standings)
  if (Object.hasOwn(models, name)) return createArtefactAdapter(parts, name as Model)
  return readOnly(async () => undefined)
}

/** Things that are found here but never written by the library. */
function readOnly(find: Adapter['find']): Adapter {
  const nothing = async () => undefined
  return {
    find,
    findByUid: nothing,
    findByUserCode: nothing,
    upsert: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  }
}

async function findClient({ clients, admitClient, factsOf }: ProviderParts, id: string) {
  const ctx = currentContext()
  return servedOrRefused(async () => {
    const metadata = await clients.metadata(id)
    const isProvable = metadata !== undefined && metadata['token_endpoint_auth_method'] !== 'none'
    if (ctx && !isProvable) await admitClient(ctx, metadata ? id : '', factsOf(ctx.req).ip)
    return metadata
  })
}

/** Userinfo's view of one of our JWTs; its audience is the resource, and userinfo takes every token whose scope has `openid`. */
async function findAccessToken({ tokens }: ProviderParts, token: string) {
  if (currentContext()?.oidc.route !== 'userinfo') return undefined
  const checked = await tokens().check(token)
  if (!checked.ok || !checked.grantId) return undefined
  const { claims } = checked
  return {
    kind: 'AccessToken',
    jti: claims.jti,
    accountId: claims.sub,
    clientId: claims.client_id,
    grantId: checked.grantId,
    iat: claims.iat,
    exp: claims.exp,
    ...(claims.scope ? { scope: claims.scope } : {}),
    ...(claims.cnf?.jkt ? { jkt: claims.cnf.jkt } : {}),
  }
}

function gatedDeviceCodes(parts: ProviderParts): Adapter {
  const adapter = createArtefactAdapter(parts, 'DeviceCode')
  return {
    ...adapter,
    async find(id) {
      const code = await adapter.find(id)
      const pending = code && !code.accountId && !code.error
      if (pending && currentContext()?.oidc.route === 'token') await parts.pollGate(artefactId('DeviceCode', id))
      return code
    },
  }
}

/**
 * A pushed request is used up when the person has answered, long after it expired: its entry outlives the sign-in and the consent that began
 * from it, so that of two browsers still only one gets a code (threats.md AZ8).
 */
function lastingPushedRequests(parts: ProviderParts): Adapter {
  const adapter = createArtefactAdapter(parts, 'PushedAuthorizationRequest')
  const { interaction } = parts.configuration.settings.lifetimes
  return { ...adapter, upsert: (id, payload, seconds = 0) => adapter.upsert(id, payload, seconds + 2 * interaction) }
}

/** What the library reads from a request about where it came in comes from the issuer and our network rules, never from headers. */
function pinRequest(provider: Provider, { issuer, factsOf }: ProviderParts): void {
  const { host, protocol } = new URL(issuer)
  Object.defineProperties(provider.request, {
    host: { get: () => host },
    protocol: { get: () => protocol.slice(0, -1) },
    secure: { get: () => true },
    ip: {
      get(this: { req: object }) {
        return factsOf(this.req).ip
      },
    },
  })
}

/**
 * A session's id changes when its privilege does: at every sign-in and step-up (threats.md SS1), not at every consent, where a changed id would
 * throw out the other tab (RC7); nor when a second tab, begun signed out, signs the same account in. `sid` is its public id for every app.
 */
function steadySessions(provider: Provider, { onSignOut }: ProviderParts): void {
  const prototype = provider.Session.prototype as unknown as SessionPrototype
  const { loginAccount, resetIdentifier, destroy } = prototype
  prototype.loginAccount = function login(details) {
    // Before the sign-in is noted: afterwards every sign-in looks like a second one.
    currentWork().isSecondTab = isSecondTab(this.accountId, details.accountId)
    loginAccount.call(this, details)
    const result = currentContext()?.oidc.entities.Interaction?.result as { login?: { sudo?: boolean } } | undefined
    this.sudo = result?.login?.sudo !== false
  }
  keepField(provider.Session, 'sudo')
  prototype.resetIdentifier = function reset() {
    const oidc = currentContext()?.oidc
    const quiet = oidc?.route.endsWith('resume') && (!oidc.result?.login || currentWork().isSecondTab)
    if (!quiet) resetIdentifier.call(this)
  }
  prototype.destroy = async function signOut() {
    await onSignOut(this.uid)
    currentWork().signedOut = true
    await destroy.call(this)
  }
  prototype.sidFor = function sidFor() {
    return this.uid
  }
  prototype.ensureClientContainer = function ensure(clientId) {
    this.authorizationFor(clientId, true)['sid'] = this.uid
  }
}

/**
 * When a form of the device page comes without its session, the library shows it again with a secret in a session that it neither stores nor gives
 * the browser, and fails over that. Here it does both, so that the form works when it is sent again.
 */
function keepFormSessions(provider: Provider, { configuration }: ProviderParts): void {
  const prototype = provider.Session.prototype as unknown as SessionPrototype
  const { persist } = prototype
  prototype.persist = async function keep() {
    if (this.exp !== undefined) return persist.call(this)
    const cookie = { httpOnly: true, sameSite: 'lax', secure: true, signed: true, path: '/' } as const
    currentContext()?.oidc.cookies.set(COOKIES.session, this.id, cookie)
    return this.save(configuration.settings.lifetimes.interaction)
  }
}

/** Makes the library store a further field of a model. */
function keepField(model: object, field: string): void {
  const fields = (model as { IN_PAYLOAD: readonly string[] }).IN_PAYLOAD
  Object.defineProperty(model, 'IN_PAYLOAD', { get: () => [...fields, field] })
}

interface SessionPrototype {
  id: string
  uid: string
  exp?: number
  save(seconds: number): Promise<string>
  persist(): Promise<string>
  /** Whether the sign-in counts as the recent one that sensitive acts need. */
  sudo?: boolean
  accountId?: string
  loginAccount(details: { accountId: string }): void
  resetIdentifier(): void
  destroy(): Promise<void>
  sidFor(): string
  ensureClientContainer(clientId: string): void
  authorizationFor(clientId: string, create: boolean): Record<string, unknown>
}

/** This tab began signed out, and another tab has signed the same account in meanwhile. */
function isSecondTab(present: string | undefined, incoming: string): boolean {
  const interaction = currentContext()?.oidc.entities.Interaction
  return present === incoming && interaction !== undefined && interaction.session === undefined
}

export const sessionCookie = COOKIES.session
