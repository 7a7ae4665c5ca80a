/**
 * The library's configuration: every default that must not stand is set here, with why. One function, one object, read top to bottom.
 */
import type { JWK } from 'jose'
import type { AdapterFactory, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { claimNamesByScope } from '../accounts/claims.ts'
import { newTokenId } from './access-tokens.ts'
import {
  ACR_VALUES,
  CLIENT_ASSERTION_ALGORITHMS,
  CLIENT_AUTH_METHODS,
  DPOP_ALGORITHMS,
  ID_TOKEN_ALGORITHMS,
} from './metadata.ts'
import { IDENTITY_SCOPES } from './resources.ts'
import type { OidcSettings } from './settings.ts'
import { signerFor } from './signers.ts'
import { stepUpParams } from './step-up.ts'

export interface ConfigurationParts {
  readonly settings: OidcSettings
  readonly now: () => number
  readonly jwks: readonly JWK[]
  readonly adapter: AdapterFactory
  readonly cookieKeys: readonly string[]
  readonly dpopNonceSecret: Buffer
  readonly policy: Configuration['interactions']
  readonly hooks: Pick<
    Configuration,
    | 'findAccount'
    | 'loadExistingGrant'
    | 'extraTokenClaims'
    | 'rotateRefreshToken'
    | 'renderError'
    | 'assertJwtClientAuthClaimsAndHeader'
    | 'clientBasedCORS'
    | 'fetch'
  >
  readonly deviceFlow: object
  readonly logout: object
  readonly resourceLookup: object
  readonly defaultResource: string
  /** `authorization_details`, where there is something to ask for. */
  readonly details?: object | undefined
  readonly ownTokenOnly: (ctx: unknown, client: { clientId: string }, token: { clientId?: string }) => boolean
  readonly mayIntrospect: (ctx: unknown, client: { clientId: string }, token: object) => Promise<boolean>
  readonly facts: (ctx: KoaContextWithOIDC) => { ip: string; userAgent: string }
}

export const COOKIES = {
  session: '__Host-licet_session',
  interaction: '__Secure-licet_interaction',
  resume: '__Secure-licet_resume',
} as const

export function createConfiguration(parts: ConfigurationParts): Configuration {
  const { settings, hooks } = parts
  const cookie = { httpOnly: true, sameSite: 'lax', secure: true, signed: true } as const
  return {
    ...hooks,
    adapter: parts.adapter,
    jwks: { keys: parts.jwks.map(signerFor) },
    cookies: { names: { ...COOKIES }, keys: [...parts.cookieKeys], long: { ...cookie, path: '/' }, short: cookie },
    routes: {
      authorization: '/authorize',
      token: '/token',
      userinfo: '/userinfo',
      revocation: '/revoke',
      introspection: '/introspect',
      pushed_authorization_request: '/par',
      device_authorization: '/device_authorization',
      code_verification: '/device',
      end_session: '/logout',
      jwks: '/.well-known/jwks.json',
    },
    scopes: [...IDENTITY_SCOPES],
    claims: {
      ...mapped(claimNamesByScope),
      ...customPersonClaims(settings),
      acr: null,
      amr: null,
      auth_time: null,
      sid: null,
      iss: null,
    },
    acrValues: [...ACR_VALUES],
    extraParams: [...stepUpParams],
    subjectTypes: ['public'],
    responseTypes: ['code'],
    clientAuthMethods: [...CLIENT_AUTH_METHODS],
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
    enabledJWA: {
      clientAuthSigningAlgValues: [...CLIENT_ASSERTION_ALGORITHMS],
      idTokenSigningAlgValues: [...ID_TOKEN_ALGORITHMS],
      dPoPSigningAlgValues: [...DPOP_ALGORITHMS],
    },
    // Every client, confidential ones too (RFC 9700 §2.1.1).
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    enableHttpPostMethods: false,
    acceptQueryParamAccessTokens: false,
    conformIdTokenClaims: false,
    clockTolerance: 15,
    // The first half of a `jti` finds the grant again, so that a token that is not stored can still be revoked with it.
    formats: { customizers: { jwt: nameToken } },
    // Refresh tokens follow the grant type, not `offline_access`, and outlive the browser session; a bound grant is ended with it.
    issueRefreshToken: (_ctx: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    revokeGrantPolicy: () => true,
    interactions: parts.policy as NonNullable<Configuration['interactions']>,
    features: features(parts),
    ttl: ttl(parts),
  } as unknown as Configuration
}

function features(parts: ConfigurationParts) {
  return {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      charset: 'base-20',
      mask: '****-****',
      deviceInfo: (ctx: KoaContextWithOIDC) => deviceInfo(parts, ctx),
      ...parts.deviceFlow,
    },
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    dPoP: { enabled: true, nonceSecret: parts.dpopNonceSecret, requireNonce: () => false },
    introspection: { enabled: true, allowedPolicy: parts.mayIntrospect },
    revocation: { enabled: true, allowedPolicy: parts.ownTokenOnly },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx: unknown, _client: unknown, oneOf?: string[]) => oneOf?.[0] ?? parts.defaultResource,
      useGrantedResource: () => true,
      ...parts.resourceLookup,
    },
    ...(parts.details ? { richAuthorizationRequests: { enabled: true, ...parts.details } } : {}),
    rpInitiatedLogout: { enabled: true, ...parts.logout },
    userinfo: { enabled: true },
  }
}

type IssuedToken = { resourceServer?: { accessTokenTTL?: number } }

/** Seconds each thing lives. */
function ttl(parts: ConfigurationParts) {
  const { lifetimes } = parts.settings
  const ofResource = (ctx: KoaContextWithOIDC, token: IssuedToken) =>
    untilGrantEnds(ctx, token.resourceServer?.accessTokenTTL ?? 900)
  return {
    AccessToken: ofResource,
    ClientCredentials: ofResource,
    AuthorizationCode: lifetimes.code,
    DeviceCode: lifetimes.deviceCode,
    PushedAuthorizationRequest: lifetimes.pushedRequest,
    IdToken: lifetimes.idToken,
    Interaction: lifetimes.interaction,
    Grant: lifetimes.refreshAbsolute,
    RefreshToken: (ctx: KoaContextWithOIDC, token: { iiat?: number }) =>
      untilGrantEnds(ctx, refreshSeconds(parts, token.iiat)),
    Session: (_ctx: unknown, session: { loginTs?: number }) => sessionSeconds(parts, session.loginTs),
  }
}

/** No token outlives what the person allowed. */
function untilGrantEnds(ctx: KoaContextWithOIDC, seconds: number): number {
  const left = ctx.oidc.entities.Grant?.remainingTTL
  return left === undefined ? seconds : Math.max(1, Math.min(seconds, left))
}

function nameToken(_ctx: unknown, token: { grantId?: string }, made: { payload: { jti?: string } }): void {
  made.payload.jti = newTokenId(token.grantId)
}

function deviceInfo(parts: ConfigurationParts, ctx: KoaContextWithOIDC): { ip: string; ua: string } {
  const { ip, userAgent } = parts.facts(ctx)
  return { ip, ua: userAgent }
}

/** The idle lifetime, cut where the absolute one ends. */
function refreshSeconds({ settings: { lifetimes }, now }: ConfigurationParts, begunAt: number | undefined): number {
  const left =
    begunAt === undefined ? lifetimes.refreshAbsolute : begunAt + lifetimes.refreshAbsolute - Math.floor(now() / 1000)
  return Math.max(1, Math.min(lifetimes.refreshIdle, left))
}

function sessionSeconds({ settings: { lifetimes }, now }: ConfigurationParts, signedInAt: number | undefined): number {
  // Before a sign-in a session only carries a form's token.
  if (signedInAt === undefined) return lifetimes.interaction
  return Math.max(1, Math.min(lifetimes.sessionIdle, signedInAt + lifetimes.sessionAbsolute - Math.floor(now() / 1000)))
}

function mapped(table: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(table).map(([scope, claims]) => [scope, [...claims]]))
}

/** How the person signed in stands in every ID token; custom claims of ID tokens and userinfo ride on `openid` too. */
function customPersonClaims({ claims }: OidcSettings): Record<string, string[]> {
  return { openid: ['sub', 'auth_time', 'acr', 'amr', ...Object.keys(claims.idToken), ...Object.keys(claims.userinfo)] }
}
