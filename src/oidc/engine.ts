/**
 * The protocol engine: composes everything in this folder into one request handler, and swaps the provider when the signing keys change, so that
 * a rotation needs no restart. All state is in the store; what happens is told to `events`.
 */
import { hkdfSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { type AccessTokens, createAccessTokens } from './access-tokens.ts'
import { type AccountSource, createAccountFinder, createTokenClaims, stands } from './accounts.ts'
import { createAssertionCheck } from './assertions.ts'
import { createClaimsHook, type HookFetch } from './claims.ts'
import { type AppSource, createClients } from './clients.ts'
import { createResourceLookup } from './context.ts'
import { createDevicePages, createPollGate } from './device.ts'
import { createEndpoints } from './endpoints.ts'
import { createErrorRenderer } from './error-pages.ts'
import type { ProtocolEvents } from './events.ts'
import { createGrants } from './grants.ts'
import { createInteractions } from './interaction.ts'
import { createLogoutPages, createNoticeQueue, createSignOutFollowUp } from './logout.ts'
import { type Published, publish } from './metadata.ts'
import type { Pages } from './pages.ts'
import { createGrantLoader, createPolicy } from './policy.ts'
import { createProvider, type ProviderParts, sessionCookie } from './provider.ts'
import { createSettlement } from './redemption.ts'
import { createRefresh } from './refresh.ts'
import { createResources } from './resources.ts'
import { createRestart } from './restart.ts'
import type { OidcSettings } from './settings.ts'
import type { SigningKeys } from './signing-keys.ts'
import { createTokenStatus, ownTokenOnly } from './token-status.ts'
import { interactionUrl } from './urls.ts'

export interface EngineParts {
  readonly settings: OidcSettings
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
  readonly accounts: AccountSource
  readonly apps: AppSource
  readonly verifySecret: (app: App, secret: string, ctx: KoaContextWithOIDC | undefined) => Promise<boolean>
  readonly admitClient: (ctx: KoaContextWithOIDC, clientId: string) => Promise<void>
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

export type Engine = Awaited<ReturnType<typeof createEngine>>

/** Loads the keys, builds the first provider and starts to watch for new keys; `close` ends that. */
export async function createEngine(parts: EngineParts) {
  const { settings, store, vault, now, events, pages } = parts
  const resources = createResources(settings)
  const clients = createClients({ apps: parts.apps, now })
  const grants = createGrants({ store, now })
  const restart = createRestart({ vault, now })
  const notices = createNoticeQueue({ atOnce: 8, pause: parts.pause, onGivenUp: events.noticeGivenUp })
  const refresh = createRefresh({
    store,
    vault,
    now,
    retryWindowSeconds: settings.lifetimes.refreshRetryWindow,
    onReuse: events.refreshReused,
  })
  const policyParts = {
    clients,
    grants,
    resources,
    refreshAbsoluteSeconds: settings.lifetimes.refreshAbsolute,
    onConsent: events.consented,
  }
  const askHook = settings.claims.hook && createClaimsHook(settings.claims.hook, parts.hookFetch)
  const onSignedOut = events.signedOut

  let tokens: AccessTokens
  const endpoints = createEndpoints({
    pages,
    refresh,
    sessionCookie,
    settle: createSettlement({ store, refresh, now, onReplay: events.replayed }),
    tokenStatus: createTokenStatus({ tokens: () => tokens, clients, onRevoked: events.tokenRevoked }),
    onUnexpected: events.unexpected,
    rememberRequest: restart.remember,
    afterSignOut: createSignOutFollowUp({ grants, onSignedOut }),
  })

  const configuration: ProviderParts['configuration'] = {
    settings,
    now,
    cookieKeys: vault.cookieKeys,
    dpopNonceSecret: Buffer.from(hkdfSync('sha256', vault.cookieKeys.join(), 'licet', 'dpop nonce', 32)),
    policy: {
      policy: createPolicy(policyParts),
      url: (_ctx: unknown, { uid }: { uid: string }) => interactionUrl(uid),
    } as never,
    hooks: {
      findAccount: createAccountFinder(parts.accounts, settings.claims, clients) as never,
      loadExistingGrant: createGrantLoader(policyParts) as never,
      extraTokenClaims: createTokenClaims(settings.claims, resources, clients, askHook) as never,
      rotateRefreshToken: (ctx: KoaContextWithOIDC) => refresh.rotate(ctx),
      renderError: createErrorRenderer({ pages, clients, explain: settings.explain }),
      assertJwtClientAuthClaimsAndHeader: createAssertionCheck(now) as never,
      clientBasedCORS: ((_ctx: unknown, origin: string, client: { redirectUris?: string[] }) =>
        registeredOrigin(origin, client)) as never,
      fetch: parts.fetch as never,
    },
    deviceFlow: createDevicePages(pages, clients),
    logout: createLogoutPages({ pages, clients, grants, onSignedOut }),
    resourceLookup: { getResourceServerInfo: createResourceLookup(resources, clients) },
    defaultResource: resources.standard.identifier,
    ownTokenOnly,
    facts: (ctx: KoaContextWithOIDC) => parts.factsOf(ctx.req),
  }

  let provider: Provider
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  let published: Published
  let version = ''

  const build = async (): Promise<void> => {
    const keys = await parts.signingKeys.load()
    if (keys.version === version) return
    const standing = async (id: string, authTime: number | undefined) => stands(await parts.accounts.find(id), authTime)
    tokens = createAccessTokens({
      issuer: settings.issuer,
      jwks: keys.jwks,
      store,
      clients,
      accountStands: standing,
      now,
    })
    provider = createProvider({
      ...parts,
      issuer: settings.issuer,
      jwks: keys.jwks,
      configuration,
      endpoints,
      clients,
      resources,
      notices,
      tokens: () => tokens,
      pollGate: createPollGate(store),
    })
    events.listen(provider)
    handle = provider.callback() as typeof handle
    published = publish(settings.issuer, keys.jwks, parts.uiLocales)
    version = keys.version
  }
  await build()
  const watch = setInterval(() => build().catch(events.keysNotLoaded), 5000)
  watch.unref()

  return {
    handle: (request: IncomingMessage, response: ServerResponse) => handle(request, response),
    published: () => published,
    tokens: () => tokens,
    interactions: createInteractions({
      provider: () => provider,
      clients,
      grants,
      resources,
      accounts: parts.accounts,
    }),
    clients,
    grants,
    resources,
    restart,
    /** Loads the keys again at once, after a rotation by this process. */
    reloadKeys: build,
    noticesWaiting: () => notices.length,
    async close() {
      clearInterval(watch)
      await notices.close()
    },
  }
}

/** CORS at the token endpoint and its neighbours: the origins of the app's redirect URIs, nothing else (contract.md). */
function registeredOrigin(origin: string, client: { redirectUris?: string[] }): boolean {
  if (origin === 'null') return false
  return (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin)
}
