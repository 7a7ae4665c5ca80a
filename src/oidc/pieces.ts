/**
 * The parts of the engine that live as long as the process, and the library's configuration made from them. `engine.ts` puts both to work
 * and replaces the provider when the keys change.
 */
import { hkdfSync } from 'node:crypto'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import type { Federation } from '../federation/federation.ts'
import { mayPresent } from '../federation/trusted-issuer.ts'
import type { Vault } from '../secrets.ts'
import type { Shims } from '../shims.ts'
import type { Store } from '../storage/store.ts'
import { type AccountSource, createAccountFinder, createTokenClaims } from './accounts.ts'
import type { CountCall } from './app-calls.ts'
import { createAssertionCheck } from './assertions.ts'
import { createClaimsHook } from './claims.ts'
import { type AppSource, createClients } from './clients.ts'
import type { ConfigurationParts } from './configuration.ts'
import { type ConnectionSource, fixedConnections, hookedConnections } from './connections.ts'
import { createConsentHistory } from './consent-history.ts'
import { createResourceLookup } from './context.ts'
import type { DenialNotes } from './denied.ts'
import { createDetails } from './detail-policy.ts'
import { createDevicePages } from './device.ts'
import { createErrorRenderer } from './error-pages.ts'
import type { ProtocolEvents } from './events.ts'
import { createGrants } from './grants.ts'
import type { HookFetch } from './hooks.ts'
import type { KeySource } from './key-source.ts'
import { createLogoutPages, createNoticeQueue } from './logout.ts'
import type { Served } from './mending.ts'
import type { Pages } from './pages.ts'
import { createGrantLoader, createPolicy } from './policy.ts'
import type { ProviderParts } from './provider.ts'
import { createRefresh } from './refresh.ts'
import { type BroughtResources, createResources } from './resources.ts'
import { createRestart } from './restart.ts'
import type { OidcSettings } from './settings.ts'
import type { SigningKeys } from './signing-keys.ts'
import { createStandings } from './standing.ts'
import { createStepUpHints } from './step-up-hints.ts'
import { createIntrospectionPolicy, ownTokenOnly } from './token-status.ts'
import { createWorkloads } from './workloads.ts'

export interface EngineParts {
  readonly settings: OidcSettings
  readonly shims: Shims
  /** Told which shims served an app, once its request has led to a code or a token. */
  readonly served: Served
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
  readonly accounts: AccountSource
  /** The policy asks this account for a second factor that it does not have (any more). */
  readonly lacksFactor: (account: Account) => Promise<boolean>
  readonly apps: AppSource
  readonly broughtResources: BroughtResources
  readonly federation: Federation
  readonly keys: KeySource
  readonly denials: DenialNotes
  readonly verifySecret: (app: App, secret: string, ctx: KoaContextWithOIDC | undefined) => Promise<boolean>
  readonly admitClient: ProviderParts['admitClient']
  readonly countCall: CountCall
  readonly pages: Pages
  readonly events: ProtocolEvents
  readonly signingKeys: SigningKeys
  readonly uiLocales: readonly string[]
  /** Address and agent of a request, by the network rules. */
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
  /** The guarded way out. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  readonly hookFetch: HookFetch
  readonly pause: (milliseconds: number) => Promise<void>
}

export type Pieces = ReturnType<typeof createPieces>

export function createPieces(parts: EngineParts) {
  const { settings, store, vault, now, events, federation } = parts
  const retryWindowSeconds = settings.lifetimes.refreshRetryWindow
  const hints = createStepUpHints(store)
  const { hook } = settings.claims
  const mayAssert = (app: App) => federation.issuers.some((issuer) => mayPresent(issuer, app))
  const clients = createClients({ apps: parts.apps, now, mayAssert, unverified: settings.unverified })
  const sessionIdleSeconds = settings.lifetimes.sessionIdle
  return {
    askHook: hook && createClaimsHook(hook, parts.hookFetch, events.hookFailed),
    resources: createResources({ ...settings, brought: parts.broughtResources, now }),
    clients,
    workloads: createWorkloads(federation.assertions),
    grants: createGrants({ store, now }),
    standings: createStandings({ store, clients, now, sessionIdleSeconds }),
    history: createConsentHistory({ store, now, keepSeconds: settings.historySeconds }),
    connections: connectionSource(parts),
    restart: createRestart({ vault, now }),
    hints,
    notices: createNoticeQueue({ atOnce: 8, pause: parts.pause, onGivenUp: events.noticeGivenUp }),
    refresh: createRefresh({ store, vault, now, retryWindowSeconds, onReuse: events.refreshReused, hints }),
  }
}

function connectionSource({ settings: { connections }, hookFetch, events }: EngineParts): ConnectionSource | undefined {
  if (connections?.hook) return hookedConnections(connections.hook, hookFetch, events.connectionsUnknown)
  return connections && fixedConnections(connections.list)
}

const knownIds = ({ hook, list }: NonNullable<OidcSettings['connections']>) =>
  hook ? undefined : new Set(list.map(({ id }) => id))

/** The library's configuration, but for keys and adapter. */
export function configurationOf(parts: EngineParts, pieces: Pieces): Omit<ConfigurationParts, 'adapter' | 'jwks'> {
  const { settings, vault, now, events, pages } = parts
  const { resources, clients, grants, refresh, askHook, history } = pieces
  const onSignedOut = events.signedOut
  const policyParts = {
    clients,
    grants,
    resources,
    lacksFactor: parts.lacksFactor,
    shims: parts.shims,
    history,
    refreshAbsoluteSeconds: settings.lifetimes.refreshAbsolute,
    sessionAbsoluteSeconds: settings.lifetimes.sessionAbsolute,
    now,
    onConsent: events.consented,
  }
  return {
    settings,
    now,
    cookieKeys: vault.cookieKeys,
    dpopNonceSecret: Buffer.from(hkdfSync('sha256', vault.cookieKeys.join(), 'licet', 'dpop nonce', 32)),
    policy: {
      policy: createPolicy(policyParts),
      url: (_ctx: unknown, { uid }: { uid: string }) => `/interaction/${uid}`,
    } as never,
    hooks: {
      findAccount: createAccountFinder(parts.accounts, settings.claims, clients) as never,
      loadExistingGrant: createGrantLoader(policyParts) as never,
      extraTokenClaims: createTokenClaims(settings.claims, resources, clients, askHook) as never,
      rotateRefreshToken: (ctx: KoaContextWithOIDC) => refresh.rotate(ctx),
      renderError: createErrorRenderer({ pages, clients, explain: settings.explain }),
      assertJwtClientAuthClaimsAndHeader: createAssertionCheck({ now, admit: parts.admitClient }) as never,
      clientBasedCORS: ((_ctx: unknown, origin: string, client: { redirectUris?: string[] }) =>
        registeredOrigin(origin, client)) as never,
      fetch: parts.fetch as never,
    },
    deviceFlow: createDevicePages(pages, clients),
    logout: createLogoutPages({ pages, clients, onSignedOut }),
    resourceLookup: { getResourceServerInfo: createResourceLookup(resources, clients, parts.shims) },
    details: settings.connections && createDetails({ resources, known: knownIds(settings.connections) }),
    defaultResource: resources.standard.identifier,
    ownTokenOnly,
    mayIntrospect: createIntrospectionPolicy(parts.accounts),
    facts: (ctx: KoaContextWithOIDC) => parts.factsOf(ctx.req),
  }
}

/** CORS at the token endpoint and its neighbours: the origins of the app's redirect URIs, nothing else (contract.md). */
function registeredOrigin(origin: string, client: { redirectUris?: string[] }): boolean {
  if (origin === 'null') return false
  return (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin)
}
