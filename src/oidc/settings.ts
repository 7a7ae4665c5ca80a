/**
 * What the protocol needs to know of the configuration. `app.ts` fills it in; nothing here reads configuration itself.
 * Lifetimes are seconds.
 */

export type Access = 'read' | 'write' | 'admin'

export interface ScopeRule {
  readonly name: string
  readonly family: string
  readonly access: Access
  readonly describe: string
  /** Whether apps that are not first-party may ask for it. */
  readonly thirdParty: boolean
}

export type SigningAlgorithm = 'ES256' | 'RS256' | 'EdDSA'

/** A protected resource: `identifier` is the audience, byte for byte. */
export interface Resource {
  readonly identifier: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly defaultScopes: readonly string[]
  readonly accessTokenSeconds: number
  readonly algorithm: SigningAlgorithm
}

export type ClaimSource =
  | { readonly from: 'constant'; readonly value: unknown }
  | { readonly from: 'account'; readonly attribute: string }
  | { readonly from: 'app'; readonly field: string }

export interface ClaimsHook {
  readonly url: string
  readonly timeoutMs: number
  readonly onError: 'refuse' | 'omit'
  /** Key of the HMAC over the body. */
  readonly secret: string
}

export interface OidcSettings {
  readonly issuer: string
  readonly scopes: readonly ScopeRule[]
  /** The first is the default resource. */
  readonly resources: readonly Resource[]
  readonly claims: {
    readonly accessToken: Readonly<Record<string, ClaimSource>>
    readonly idToken: Readonly<Record<string, ClaimSource>>
    readonly hook?: ClaimsHook
  }
  readonly lifetimes: {
    readonly idToken: number
    readonly code: number
    readonly deviceCode: number
    readonly pushedRequest: number
    readonly refreshIdle: number
    readonly refreshAbsolute: number
    readonly refreshRetryWindow: number
    readonly sessionIdle: number
    readonly sessionAbsolute: number
    readonly interaction: number
  }
  /** Adds reasons to error answers. */
  readonly explain: boolean
}
