/**
 * What an app is, stored or configured. The stored value of kind `app` is everything but the id and where it comes from.
 * What its fields must be stands in `fields.ts`, what follows from its type in `app-types.ts`.
 */
import type { Attributes, JsonValue } from '../attributes.ts'
import type { Replaced } from '../overlap.ts'
import type { ShimName } from '../shims.ts'
import type { AppAuth, AppType } from './app-types.ts'

export type ClientId = string & { readonly brand: 'ClientId' }

/**
 * A client secret as it is kept. Times are milliseconds since 1970; without `expiresAt` it works until it is rotated. One that was replaced may end
 * earlier, as its callers move (`overlap.ts`).
 */
export interface AppSecret extends Partial<Omit<Replaced, 'endsAt'>> {
  readonly id: string
  readonly digest: string
  readonly hint: string
  readonly createdAt: number
  readonly expiresAt?: number
}

/** Public keys of an app (RFC 7517). */
export interface JwkSet {
  readonly keys: readonly Readonly<Record<string, JsonValue>>[]
}

/** What the app's owner decides. */
export interface AppFields {
  /** Clean: see `display-name.ts`. */
  readonly name: string
  readonly type: AppType
  readonly auth: AppAuth
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  /** A person grants these all or not at all. */
  readonly scopes: readonly string[]
  /** A person may refuse each of these. */
  readonly optionalScopes: readonly string[]
  readonly metadata: Attributes
  /** Its access tokens are always bound to a DPoP key. */
  readonly dpop: boolean
  /** It acts by itself for the people who allowed it: its tokens say so (`act`, RFC 8693 §4.1). */
  readonly agent: boolean
  readonly idTokenSignedResponseAlg: 'ES256' | 'RS256'
  readonly jwks?: JwkSet
  readonly jwksUri?: string
  readonly backchannelLogoutUri?: string
  readonly clientUri?: string
  readonly logoUri?: string
  readonly policyUri?: string
  readonly tosUri?: string
  /** What it is for, in its developer's own words. Clean, one line. */
  readonly description?: string
  /** Mail addresses of who may try it while it is not verified, where the operator's policy asks for that. */
  readonly testers?: readonly string[]
}

/** A domain whose owner has shown that the app is theirs. `provenAt`: milliseconds since 1970. */
export interface Publisher {
  readonly domain: string
  readonly by: 'dns' | 'file'
  readonly provenAt: number
}

/** What the operator and the server decide. */
export interface AppRecord extends AppFields {
  readonly firstParty: boolean
  /** An operator has checked that the app is whose it says it is. */
  readonly verified: boolean
  /** The resource (audience) whose tokens it may introspect. */
  readonly resourceServer?: string
  /** The service app that may act with its tokens: `may_act` in them (RFC 8693 §4.4). */
  readonly mayAct?: string
  /** Apps whose tokens for its own resource it may exchange, to act for the same people; `*` for every app. */
  readonly actsFor?: readonly string[]
  readonly ownerId?: string
  /** It registered itself; nobody but itself vouches for what it says. */
  readonly selfRegistered?: true
  /** What was mended in what it said of itself. */
  readonly mended?: readonly ShimName[]
  /** What an app without scopes of its own may ask for. */
  readonly mayAsk?: readonly string[]
  /** It asked to be forgotten: its id never works again. */
  readonly removedAt?: number
  readonly suspended?: { readonly at: number; readonly reason: string }
  /** Who publishes it, as far as the domain tells; an operator decides whether that is who people will take it for. */
  readonly publisher?: Publisher
  /** Name of its logo; see `logos.ts`. */
  readonly logo?: string
  /** Its name as the eye takes it, while it is verified; see `lookalike.ts`. */
  readonly verifiedName?: string
  /** It waits for an operator's decision. */
  readonly review?: 'waiting'
  /** Why an operator did not verify it. */
  readonly declined?: { readonly at: number; readonly reason: string }
  /** At most two live ones. */
  readonly secrets: readonly AppSecret[]
  /** A group: its old secret waits for what its callers do. */
  readonly waiting?: 'use'
  readonly createdAt: number
  readonly updatedAt: number
}

/** What holds for an app while nobody has verified it, where the operator has set bounds. */
export interface Trial {
  readonly scopes?: readonly string[] | undefined
  /** Addresses, case-folded; absent where everybody may use it. */
  readonly testers?: ReadonlySet<string>
}

export interface App extends AppRecord {
  /** Worked out where it is used; never stored. */
  readonly trial?: Trial
  readonly clientId: ClientId
  /** `self_registered`: not stored, its id says everything. `document`: its id is the address of what says everything. */
  readonly source: 'configuration' | 'stored' | 'self_registered' | 'document'
}

/** What an app's calls are counted as. */
export function usageSubject(clientId: string): string {
  return `app ${clientId}`
}

/** An app as the API and the command line show it: names of the wire, times as ISO 8601, secrets by their hints. */
export function describeApp(app: App, now: number) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString()
  return {
    client_id: app.clientId,
    name: app.name,
    type: app.type,
    auth: app.auth,
    redirect_uris: app.redirectUris,
    post_logout_redirect_uris: app.postLogoutRedirectUris,
    scopes: app.scopes,
    optional_scopes: app.optionalScopes,
    metadata: app.metadata,
    dpop: app.dpop,
    // Apps stored by an earlier version do not say it.
    agent: app.agent ?? false,
    id_token_signed_response_alg: app.idTokenSignedResponseAlg,
    first_party: app.firstParty,
    verified: app.verified,
    description: app.description ?? null,
    client_uri: app.clientUri ?? null,
    logo_uri: app.logoUri ?? null,
    policy_uri: app.policyUri ?? null,
    tos_uri: app.tosUri ?? null,
    jwks: app.jwks ?? null,
    jwks_uri: app.jwksUri ?? null,
    backchannel_logout_uri: app.backchannelLogoutUri ?? null,
    testers: app.testers ?? [],
    publisher: app.publisher
      ? { domain: app.publisher.domain, by: app.publisher.by, proven_at: at(app.publisher.provenAt) }
      : null,
    review: app.review ?? null,
    declined_reason: app.declined?.reason ?? null,
    resource_server: app.resourceServer ?? null,
    may_act: app.mayAct ?? null,
    acts_for: app.actsFor ?? [],
    owner: app.ownerId ?? null,
    state: app.suspended ? 'suspended' : 'active',
    suspended_reason: app.suspended?.reason ?? null,
    source: app.source,
    secrets: app.secrets
      .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
      .map((secret) => ({
        id: secret.id,
        hint: secret.hint,
        created_at: at(secret.createdAt),
        expires_at: secret.expiresAt === undefined ? null : at(secret.expiresAt),
        quiet_seconds: secret.quietSeconds ?? null,
        until_first_use: secret.untilFirstUse ?? false,
      })),
    created_at: at(app.createdAt),
    updated_at: at(app.updatedAt),
  }
}
