/**
 * The middle of the composition root: the protocol engine over the core, and what it needs of HTTP. Configuration becomes the engine's settings
 * here, its events become audit entries, metrics, log lines and mails.
 */

import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { AppUsage } from './app-usage.ts'
import type { AppSecret } from './apps/app.ts'
import type { Core } from './core.ts'
import { beginsAsKey } from './credential-format.ts'
import type { HttpContext } from './http/server.ts'
import type { Caller } from './observability/audit.ts'
import type { Log } from './observability/log.ts'
import type { Metrics } from './observability/metrics.ts'
import { createEngine, type Engine } from './oidc/engine.ts'
import { createEvents } from './oidc/events.ts'
import { fencedAccounts } from './oidc/fence.ts'
import type { EngineParts } from './oidc/pieces.ts'
import type { OidcSettings, Resource } from './oidc/settings.ts'
import { sunsetHeaders } from './overlap.ts'
import type { Guesses } from './security/guesses.ts'
import { limitKeys } from './security/network.ts'
import type { Outbound } from './security/outbound.ts'

export interface ProtocolParts {
  readonly core: Core
  readonly log: Log
  readonly metrics: Metrics
  readonly outbound: Outbound
  readonly uiLocales: readonly string[]
  readonly pages: EngineParts['pages']
  readonly contextOf: (request: object) => HttpContext
  /** Told which shims served an app. */
  readonly served: EngineParts['served']
  readonly limitClient: EngineParts['admitClient']
  /** Wrong secrets, by app and address. */
  readonly secretGuesses: Guesses
  readonly usage: Pick<AppUsage, 'count'>
  readonly lacksFactor: EngineParts['lacksFactor']
  readonly tellReuse: (accountId: string, clientId: string, caller: Caller) => Promise<void>
}

export async function startProtocol(parts: ProtocolParts): Promise<Engine> {
  const { core, log, metrics, outbound, contextOf } = parts
  const usedSecrets = new WeakMap<object, AppSecret>()
  const factsOf = (request: object) => {
    const { state, req } = contextOf(request)
    return { ip: state.ip, userAgent: (req.headers['user-agent'] ?? '').slice(0, 256), requestId: state.requestId }
  }
  return createEngine({
    settings: oidcSettings(core.config),
    federation: core.federation,
    shims: core.shims,
    served: parts.served,
    store: core.store,
    vault: core.vault,
    now: core.now,
    accounts: fencedAccounts(core.accounts, core),
    lacksFactor: parts.lacksFactor,
    apps: core.apps,
    broughtResources: core.resources,
    keys: { ...core.keys, isKey: (credential) => beginsAsKey(core.config.brand.keyPrefix, credential) },
    denials: core.keys.denials,
    signingKeys: core.signingKeys,
    pages: parts.pages,
    uiLocales: parts.uiLocales,
    factsOf,
    admitClient: parts.limitClient,
    async verifySecret(app, secret, ctx) {
      const guesser = ctx && `${app.clientId} ${limitKeys(factsOf(ctx.req).ip).narrow}`
      if (guesser) parts.secretGuesses.admit(guesser)
      const found = core.apps.findSecret(app, secret) ?? (await findFreshSecret(core.apps, app.clientId, secret))
      if (found && ctx) usedSecrets.set(ctx.req, found)
      if (found && ctx) tellSunset(ctx, found)
      if (!found && guesser) await parts.secretGuesses.count(guesser)
      return found !== undefined
    },
    fetch: (url, init) => outbound.fetch(url, init as never),
    hookFetch: (url, init) => outbound.fetch(url, init),
    pause: (milliseconds) => pause(milliseconds, undefined, { ref: false }),
    countCall(ctx, clientId, outcome) {
      const secret = usedSecrets.get(ctx.req)
      const mustProve = ctx.oidc.client?.clientSecret !== undefined
      // Whoever has not shown the secret is not the app, whatever they were answered.
      if (mustProve && !secret) return
      const { ip, userAgent } = factsOf(ctx.req)
      parts.usage.count(clientId, {
        outcome,
        at: core.now(),
        ...(secret ? { ip, userAgent, secret: secret.id } : {}),
      })
    },
    events: createEvents({
      audit: core.audit,
      callerOf: (ctx, accountId) => ({
        kind: accountId ? 'account' : 'app',
        ...idOf(accountId ?? ctx.oidc.client?.clientId),
        ...factsOf(ctx.req),
      }),
      keepApp: (clientId) => core.apps.keep(clientId),
      tokenIssued: (grantType) => metrics.tokenIssued(grantType),
      tellReuse: parts.tellReuse,
      unexpected: (error) => log.error({ error }, 'the protocol engine failed unexpectedly'),
      warn: (message, error) => log.warn({ error }, message),
      now: core.now,
    }),
  })
}

/**
 * A secret that the app in memory does not know may have been made a moment ago by another process: the store is asked before it is called wrong, so
 * that a rotation fails no call. Wrong ones are bounded by the guesses.
 */
async function findFreshSecret(apps: Core['apps'], clientId: string, secret: string): Promise<AppSecret | undefined> {
  const app = await apps.find(clientId)
  return app && !app.suspended ? apps.findSecret(app, secret) : undefined
}

/** RFC 9745 `Deprecation` and RFC 8594 `Sunset`, for an app that still uses its old secret. */
function tellSunset({ res }: { res: ServerResponse }, { replacedAt, expiresAt }: AppSecret): void {
  if (replacedAt === undefined || expiresAt === undefined) return
  const headers = sunsetHeaders({ deprecatedAt: replacedAt, sunsetAt: expiresAt })
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
}

const idOf = (id: string | undefined) => (id === undefined ? {} : { id })

function assertionsOf({ trustedIssuers }: Core['config']): OidcSettings['assertions'] {
  if (trustedIssuers.some(({ idJag }) => idJag)) return 'identity'
  return trustedIssuers.length > 0 ? 'workload' : 'none'
}

function oidcSettings(config: Core['config']): OidcSettings {
  const { issuer, lifetimes, claims, scopes } = config
  const rules = Object.entries(scopes).map(([name, rule]) => ({ name, ...rule }))
  const standard: Resource = {
    identifier: `${issuer}/api/v1`,
    name: config.brand.name,
    scopes: rules.map((rule) => rule.name),
    defaultScopes: ['api:read'],
    accessTokenSeconds: lifetimes.accessTokenSeconds,
    algorithm: 'ES256',
    claims: {},
  }
  const further = config.resources.map(({ accessTokenAlg, accessTokenSeconds, ...resource }) => ({
    ...resource,
    accessTokenSeconds: accessTokenSeconds ?? lifetimes.accessTokenSeconds,
    algorithm: accessTokenAlg,
  }))
  const { hook } = claims
  return {
    issuer,
    scopes: rules,
    resources: [standard, ...further],
    claims: {
      accessToken: claims.accessToken,
      idToken: claims.idToken,
      userinfo: claims.userinfo,
      ...(hook ? { hook: { ...hook, secret: hook.secret ?? config.secrets[0] ?? '' } } : {}),
    },
    lifetimes: {
      idToken: lifetimes.idTokenSeconds,
      code: lifetimes.codeSeconds,
      deviceCode: lifetimes.deviceCodeSeconds,
      pushedRequest: lifetimes.pushedRequestSeconds,
      refreshIdle: lifetimes.refreshIdleSeconds,
      refreshAbsolute: lifetimes.refreshAbsoluteSeconds,
      refreshRetryWindow: lifetimes.refreshRetryWindowSeconds,
      sessionIdle: lifetimes.sessionIdleSeconds,
      sessionAbsolute: lifetimes.sessionAbsoluteSeconds,
      interaction: lifetimes.interactionSeconds,
      exchangedToken: lifetimes.exchangedTokenSeconds,
    },
    ...(config.connections ? { connections: connectionsOf(config.connections, config.secrets[0] ?? '') } : {}),
    historySeconds: config.retention.activitySeconds,
    explain: config.debug,
    assertions: assertionsOf(config),
    unverified: config.unverifiedApps,
    selfRegistration: config.dynamicRegistration.policy !== 'off',
    clientDocuments: config.clientDocuments.policy !== 'off',
  }
}

/** A hook without a secret of its own is signed with the root secret, as the claims hook is. */
function connectionsOf(
  { list, hook }: NonNullable<Core['config']['connections']>,
  rootSecret: string,
): NonNullable<OidcSettings['connections']> {
  return { list, ...(hook ? { hook: { ...hook, secret: hook.secret ?? rootSecret } } : {}) }
}
