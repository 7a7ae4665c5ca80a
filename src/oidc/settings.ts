/**
 * What the protocol needs to know of the configuration. `app.ts` fills it in; nothing here reads configuration itself.
 * Lifetimes are seconds.
 */
import type { Connection, ConnectionsHook } from './connections.ts'
import type { TrialRules } from './trial.ts'

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
  /** Claims of its access tokens, over those of every access token. */
  readonly claims: ClaimSources
}

export type ClaimSource =
  | { readonly from: 'constant'; readonly value: unknown }
  /** A path into the account's attributes or the app's metadata. */
  | { readonly from: 'account'; readonly path: readonly string[] }
  | { readonly from: 'app'; readonly path: readonly string[] }

export type ClaimSources = Readonly<Record<string, ClaimSource>>

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
    readonly accessToken: ClaimSources
    readonly idToken: ClaimSources
    readonly userinfo: ClaimSources
    readonly hook?: ClaimsHook
  }
  /** Absent: nobody can ask for single connections. */
  readonly connections?: { readonly list: readonly Connection[]; readonly hook?: ConnectionsHook }
  /** How long people can look up what they have allowed. */
  readonly historySeconds: number
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
    /** Tokens made from a key. */
    readonly exchangedToken: number
  }
  /** Adds reasons to error answers. */
  readonly explain: boolean
  /** Whose assertions are taken as a grant: nobody's, those of programs, or those about people too. */
  readonly assertions: 'none' | 'workload' | 'identity'
  /** What apps may do that nobody has verified. */
  readonly unverified: TrialRules
  /** Whether apps may register themselves, at `/register`. */
  readonly selfRegistration: boolean
  /** Whether a client id may be the address of a metadata document. */
  readonly clientDocuments: boolean
}
