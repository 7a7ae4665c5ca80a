/**
 * The models of the developer pages: apps that people register themselves. Times are milliseconds since 1970. No model but `AppRevealed` has room for
 * a secret.
 */
import type { KeyCallerRow, OverlapChosen, ScopeShown, UsageShown } from './key-views.ts'
import type { Shell } from './settings-views.ts'
import type { Standing } from './views.ts'

export type AppKind = 'web' | 'spa' | 'native' | 'device' | 'service'

export interface AppRow {
  readonly clientId: string
  readonly name: string
  readonly type: AppKind
  readonly standing: Standing
  readonly isSuspended: boolean
  readonly createdAt: number
}

export interface AppList {
  readonly shell: Shell
  readonly rows: readonly AppRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  /** Absent for an account that has to verify its address first. */
  readonly newUrl?: string
  readonly done?: 'removed' | 'repeated'
}

/** `asked`: a person grants these all or not at all; `optional`: a person may refuse it. */
export interface ScopeChoice extends ScopeShown {
  readonly chosen: 'none' | 'asked' | 'optional'
}

/** What was judged of one line: `reason` why it cannot be taken, `warnings` what a person should think about. */
export interface UriVerdict {
  readonly uri: string
  readonly reason?: string
  readonly warnings: readonly string[]
}

export type AppField = 'name' | 'redirect_uris' | 'scope' | 'jwks' | 'form'

export interface AppProblem {
  readonly field: AppField
  readonly code: string
}

/** What a developer writes of an app. */
export interface AppDraft {
  readonly name: string
  readonly redirectUris: string
  readonly verdicts: readonly UriVerdict[]
  readonly scopes: readonly ScopeChoice[]
  readonly problems: readonly AppProblem[]
}

export interface AppForm extends AppDraft {
  readonly shell: Shell
  readonly mark: string
  readonly type: AppKind
  readonly types: readonly AppKind[]
  readonly auth: 'secret' | 'private_key_jwt'
  readonly jwks: string
}

/** One step of the example: what to do, in words of the locale, and the lines to paste. */
export interface SnippetStep {
  readonly step: 'open' | 'assert' | 'exchange' | 'ask' | 'poll' | 'token' | 'use'
  readonly code: string
}

export interface SecretRow {
  readonly id: string
  readonly hint: string
  readonly createdAt: number
  /** Set for the old one of a rotation: when it ends at the latest, and whether it may end before that. */
  readonly expiresAt?: number
  readonly quietSeconds?: number
  readonly untilFirstUse?: true
  readonly lastUsedAt?: number
}

/** The secrets of an app and what it is used for. */
export interface AppSecrets extends OverlapChosen {
  readonly shell: Shell
  readonly app: AppRow & { readonly holdsSecret: boolean; readonly isChangeable: boolean }
  readonly secrets: readonly SecretRow[]
  /** Whoever called with a secret; of an old one everybody. */
  readonly callers: readonly KeyCallerRow[]
  readonly usage: UsageShown
  readonly mark: string
  readonly done?: 'old_ended' | 'repeated'
  readonly problem?: 'quiet_hours'
}

/** The one page that shows a client secret. */
export interface AppRevealed {
  readonly shell: Shell
  readonly clientId: string
  readonly name: string
  readonly clientSecret: string
  readonly isNew: boolean
  readonly oldEndsAt?: number
  readonly snippet: readonly SnippetStep[]
}

export interface AppDetail extends AppDraft {
  readonly shell: Shell
  readonly app: AppRow & {
    readonly auth: string
    readonly suspendedReason?: string
    readonly hasRedirects: boolean
    readonly holdsSecret: boolean
    readonly isChangeable: boolean
  }
  /** The registered URIs, each with what a person is warned of. */
  readonly registered: readonly UriVerdict[]
  readonly secrets: readonly SecretRow[]
  readonly snippet: readonly SnippetStep[]
  readonly done?: 'created' | 'changed' | 'repeated'
}

export type FaceDone = 'saved' | 'logo' | 'proven'

export interface FaceProblem {
  readonly field: 'description' | 'client_uri' | 'policy_uri' | 'tos_uri' | 'testers' | 'jwks' | 'logo' | 'domain'
  readonly code?: string
}

/** What people see of an app, as its developer writes it. `logo` is a path on this server. */
export interface AppFace {
  readonly shell: Shell
  readonly app: AppRow & { readonly holdsSecret: boolean }
  readonly description: string
  readonly links: Readonly<Record<'client_uri' | 'policy_uri' | 'tos_uri', string>>
  /** One mail address per line. */
  readonly testers: string
  readonly asksTesters: boolean
  /** Of apps that prove themselves with a key. */
  readonly jwks?: string
  readonly logo?: string
  /** The domain that was proven. */
  readonly domain?: string
  readonly isWaiting: boolean
  readonly declinedReason?: string
  readonly challenge?: ChallengeShown
  readonly done?: FaceDone
  readonly problem?: FaceProblem
}

/** What to publish to prove a domain; one of the two is enough. */
export interface ChallengeShown {
  readonly domain: string
  readonly txt: { readonly name: string; readonly value: string }
  readonly file: { readonly url: string; readonly content: string }
}

export interface ResourceRow {
  readonly id: string
  readonly identifier: string
  readonly name: string
  readonly state: 'unproven' | 'waiting' | 'live' | 'refused'
}

export interface ResourceList {
  readonly shell: Shell
  readonly rows: readonly ResourceRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  readonly mayAdd: boolean
  readonly done?: 'removed'
}

export interface ResourceProblem {
  readonly field: 'name' | 'identifier' | 'scopes' | 'form'
  readonly code: string
}

/** `asked` here: the resource owns it; `optional`: who asks for nothing gets it. */
export interface ResourceForm {
  readonly shell: Shell
  readonly name: string
  readonly identifier: string
  readonly scopes: readonly ScopeChoice[]
  readonly problems: readonly ResourceProblem[]
}

export interface ResourceDetail extends ResourceForm {
  readonly resource: ResourceRow
  readonly refusedReason?: string
  readonly challenge: ChallengeShown
  readonly metadata: { readonly url: string; readonly text: string }
  readonly done?: 'created' | 'saved' | 'proven'
}

/** View name → model. */
export interface DeveloperViews {
  'developer/app-face': AppFace
  'developer/resources': ResourceList
  'developer/resource-new': ResourceForm
  'developer/resource': ResourceDetail
  'developer/apps': AppList
  'developer/app-new': AppForm
  'developer/app-reveal': AppRevealed
  'developer/app': AppDetail
  'developer/app-secrets': AppSecrets
}
