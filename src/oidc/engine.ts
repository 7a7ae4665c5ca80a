/**
 * The protocol engine: composes everything in this folder into one request handler, and swaps the provider when the signing keys change, so that
 * a rotation needs no restart. All state is in the store; what happens is told to `events`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { type AccessTokenClaims, type AccessTokens, createAccessTokens } from './access-tokens.ts'
import { stands } from './accounts.ts'
import type { Delegated } from './acting.ts'
import { countAnswered } from './app-calls.ts'
import { createConsents } from './consents.ts'
import { createDelegates } from './delegates.ts'
import { createDelegation } from './delegation.ts'
import { createDenials, noteRefusal, refusalEvents } from './denied.ts'
import { createPollGate } from './device.ts'
import { createEndpoints } from './endpoints.ts'
import { addIdentityAssertion } from './identity-assertion.ts'
import { createInteractions } from './interaction.ts'
import { createKeyStatus } from './key-status.ts'
import { createKeyTokens, type KeyTokenRequest } from './key-tokens.ts'
import { createNobodySignedIn, createSignOutFollowUp } from './logout.ts'
import { tellMended } from './mending.ts'
import { DPOP_ALGORITHMS, type Published, publish } from './metadata.ts'
import { configurationOf, createPieces, type EngineParts, type Pieces } from './pieces.ts'
import { createPreview } from './preview.ts'
import { createProofCheck, createProvenKey } from './proofs.ts'
import { createProvider, sessionCookie } from './provider.ts'
import { createSettlement } from './redemption.ts'
import { createRefusals } from './refusals.ts'
import { endSession } from './session-adapter.ts'
import { createSessionLimit } from './session-limit.ts'
import { createSessions } from './sessions.ts'
import { accessTokenSigner } from './signers.ts'
import { addTokenExchange } from './token-exchange.ts'
import { createTokenMaker } from './token-maker.ts'
import { createTokenStatus } from './token-status.ts'

export type Engine = Awaited<ReturnType<typeof createEngine>>

/** Loads the keys, builds the first provider and starts to watch for new keys; `close` ends that. */
export async function createEngine(parts: EngineParts) {
  const { settings, store, now, events, pages } = parts
  const pieces = createPieces(parts)
  const { resources, clients, grants, standings, restart, notices, refresh } = pieces
  const configuration = configurationOf(parts, pieces)

  let tokens: AccessTokens
  let sign: ReturnType<typeof accessTokenSigner>
  const makers = createMakers(parts, pieces, { tokens: () => tokens, sign: () => sign })
  const { makeKeyToken, delegate, delegates } = makers
  const endpoints = createEndpoints({
    pages,
    refresh,
    noteDenied: createDenials({
      ...parts,
      tokens: () => tokens,
      retryWindowSeconds: settings.lifetimes.refreshRetryWindow,
      explain: settings.explain,
    }),
    sessionCookie,
    settle: createSettlement({ store, refresh, now, onReplay: events.replayed }),
    keyStatus: createKeyStatus({ ...parts, issuer: settings.issuer, clients, resources }),
    tokenStatus: createTokenStatus({
      hints: pieces.hints,
      tokens: () => tokens,
      clients,
      onRevoked: events.tokenRevoked,
      shims: parts.shims,
      served: parts.served,
    }),
    onUnexpected: events.unexpected,
    onAnswered: (ctx) => countAnswered(ctx, parts.countCall),
    rememberRequest: restart.remember,
    afterSignOut: createSignOutFollowUp({ onSignedOut: events.signedOut }),
    nobodySignedIn: createNobodySignedIn({ pages, clients }),
  })

  const refusals = createRefusals({ pages, clients })
  const limitSessions = createSessionLimit({
    store,
    async signOut(uid) {
      await grants.endBound(uid)
      return endSession(store, uid)
    },
    onEnded: events.sessionsEnded,
  })

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
      standings,
      accountStands: standing,
      keyStands: parts.keys.stands,
      now,
    })
    sign = accessTokenSigner(keys.jwks)
    provider = createProvider({
      ...parts,
      issuer: settings.issuer,
      jwks: keys.jwks,
      configuration,
      endpoints: [...endpoints, refusals.middleware],
      clients,
      workloads: pieces.workloads,
      resources,
      standings,
      notices,
      tokens: () => tokens,
      pollGate: createPollGate(store),
      onSignOut: (sessionUid) => grants.endBound(sessionUid),
      limitSessions,
    })
    addTokenExchange(provider, { keys: parts.keys, clients, resources, makeKeyToken, delegate, factsOf: parts.factsOf })
    if (settings.assertions !== 'none')
      addIdentityAssertion(provider, { ...parts, ...makers, clients, resources, onAsserted: events.asserted })
    events.listen(provider)
    tellMended(provider, clients, parts.served)
    provider.on('authorization.error', refusals.note)
    for (const event of refusalEvents) provider.on(event as 'grant.error', noteRefusal)
    handle = provider.callback() as typeof handle
    published = publish({ settings, jwks: keys.jwks, uiLocales: parts.uiLocales })
    version = keys.version
  }
  await build()
  const watch = setInterval(() => build().catch(events.keysNotLoaded), 5000)
  watch.unref()

  return {
    handle: (request: IncomingMessage, response: ServerResponse) => handle(request, response),
    published: () => published,
    tokens: () => tokens,
    /** As `tokens().check`, with the proof of possession where the token is bound. */
    checkProven: createProofCheck({ issuer: settings.issuer, store, tokens: () => tokens, now }),
    proofAlgorithms: DPOP_ALGORITHMS,
    /** An access token that is made from a key, for the resource with that identifier. */
    async makeKeyToken({ audience, ...wish }: Omit<KeyTokenRequest, 'resource' | 'app'> & { audience: string }) {
      return makeKeyToken({ ...wish, resource: (await resources.look(audience)) ?? resources.standard })
    },
    /** A token of ours with less in it, for whoever reads the token itself. */
    resign: (claims: AccessTokenClaims) =>
      sign((resources.find(claims.aud) ?? resources.standard).algorithm, { ...claims }),
    interactions: createInteractions({ ...parts, ...pieces, provider: () => provider }),
    /** What a request would ask of a person. */
    preview: createPreview(resources),
    clients,
    delegates,
    consents: createConsents({ store, clients, history: pieces.history, now }),
    grants,
    resources,
    restart,
    sessions: createSessions({ provider: () => provider, store, vault: parts.vault, accounts: parts.accounts, grants }),
    /** Loads the keys again at once, after a rotation by this process. */
    reloadKeys: build,
    noticesWaiting: () => notices.length,
    async close() {
      clearInterval(watch)
      await notices.close()
    },
  }
}

interface Current {
  readonly tokens: () => AccessTokens
  readonly sign: () => ReturnType<typeof accessTokenSigner>
}

/** What makes access tokens beside the library. */
function createMakers(parts: EngineParts, { askHook, resources }: Pieces, { tokens, sign }: Current) {
  const { settings, store, now, accounts, events } = parts
  const { issuer, claims } = settings
  const make = createTokenMaker({ issuer, sign, accounts, claims, askHook, now })
  const lifetimeSeconds = settings.lifetimes.exchangedToken
  const provenKey = createProvenKey({ issuer, store, now })
  const delegates = createDelegates(parts)
  const onDelegated = async (ctx: KoaContextWithOIDC, delegated: Delegated): Promise<void> => {
    const { subject, act, family } = delegated
    const isNews = await events.delegated(ctx, delegated)
    if (isNews && family?.consentId)
      await delegates.note({ accountId: subject.sub, consentId: family.consentId, actor: act.sub })
  }
  return {
    delegates,
    make,
    provenKey,
    makeKeyToken: createKeyTokens({ make, lifetimeSeconds }),
    delegate: createDelegation({ ...parts, tokens, resources, make, provenKey, onDelegated, lifetimeSeconds }),
  }
}
