/**
 * Every view and the model it takes: `page('interactions/consent', model)` with a missing field does not compile.
 * Models hold words of the product and addresses that are already decided; sentences live in `locales/`, markup in `views/`.
 * Rendering belongs to `page.ts`; who may see which page belongs to the surfaces.
 */

import type { AdminViews } from './admin-views.ts'
import type { Consent } from './consent-views.ts'
import type { DeveloperViews } from './developer-views.ts'
import type { DocsViews } from './docs-views.ts'
import type { Answer, Cookie } from './route.ts'
import type { SettingsViews } from './settings-views.ts'
import type { PasskeyAsked, SignInViews } from './sign-in-views.ts'

/** `first_party`: configured by the operator; `verified`: checked by an operator; `unverified`: it says so itself. */
export type Standing = 'first_party' | 'verified' | 'unverified'

/** Who asks. `host` is the verified host or the host of the redirect URI, in ASCII; `logo` is a path on this server. */
export interface AskingApp {
  readonly name: string
  readonly host: string
  readonly standing: Standing
  readonly logo?: string
}

export interface ShownAccount {
  readonly email: string
  readonly name?: string
  /** Its address on this server. */
  readonly picture?: string
}

/** `wrong` covers the unknown account and the wrong password alike. `stale`: the form's CSRF token no longer fits. */
export type SignInProblem =
  | { readonly kind: 'wrong' | 'stale' | 'passkey' }
  | { readonly kind: 'missing'; readonly fields: readonly ('email' | 'password')[] }
  | { readonly kind: 'limited' | 'busy'; readonly retryAfterSeconds: number }

export interface SignIn {
  /** Absent when a person signs in to this server itself. */
  readonly app?: AskingApp
  /** Kept after an error and taken from `login_hint`; empty otherwise. */
  readonly email: string
  readonly problem?: SignInProblem
  readonly action: string
  readonly signUpUrl?: string
  readonly recoverUrl?: string
  readonly passkey?: PasskeyAsked
  /** Somebody signed in who has to prove it again: the address is given. */
  readonly stepUp?: { readonly account: ShownAccount; readonly switchAction: string }
  /** Whom this browser is signed in as while another account is asked for. */
  readonly switchAccount?: ShownAccount
  /** Posts `decision=deny` there: back to the app with `access_denied`. */
  readonly cancelAction?: string
}

/** `returnUrl` only ever leads to a registered URI. */
export interface Expired {
  readonly appName?: string
  readonly returnUrl?: string
}

export type DeviceProblem =
  | { readonly kind: 'unknown' | 'expired' | 'used' | 'missing' | 'stale' }
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number }

export interface DeviceCode {
  readonly action: string
  readonly userCode?: string
  readonly problem?: DeviceProblem
}

/** `ip` and `userAgent` are those of the device that asked, not of this browser. */
export interface DeviceConfirm {
  readonly action: string
  readonly app: AskingApp
  readonly userCode: string
  readonly ip?: string
  readonly userAgent?: string
  readonly hidden?: Readonly<Record<string, string>>
}

export interface DeviceDone {
  readonly outcome: 'allowed' | 'denied' | 'failed'
  readonly appName?: string
}

export interface SignOut {
  readonly action: string
  readonly appName?: string
  /** Fields of the protocol engine's own form. */
  readonly hidden: Readonly<Record<string, string>>
}

export interface Leave {
  readonly url: string
  readonly appName?: string
}

export type SetupField = 'email' | 'password' | 'name'
export type SetupProblem =
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'invalid'
      readonly fields: readonly { readonly field: SetupField; readonly reason: SetupReason }[]
    }
export type SetupReason = 'missing' | 'malformed' | 'too_short' | 'too_long' | 'taken' | 'too_common'

export interface Setup {
  readonly action: string
  readonly minimumPasswordLength: number
  readonly email?: string
  readonly name?: string
  readonly problem?: SetupProblem
}

/** `detail` is an English sentence that is safe to show; title and explanation come from the locale by `code`. */
export interface ErrorPage {
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly requestId: string
  readonly errorRef?: string
  /** The OAuth error code, where the protocol engine refused. */
  readonly oauthError?: string
  readonly retryAfterSeconds?: number
  readonly backUrl?: string
  /** The app that asked, where going on to it is left to the person. */
  readonly toApp?: { readonly url: string; readonly host: string }
}

export interface Home {
  readonly account?: ShownAccount
  readonly playground: boolean
  readonly mailbox: boolean
  /** True until the first administrator exists. */
  readonly needsAdministrator: boolean
}

/** `at` is milliseconds since 1970. `url` opens the single mail. */
export interface MailLine {
  readonly to: string
  readonly subject: string
  readonly at: number
  readonly url: string
}

export interface MailShown {
  readonly to: string
  readonly subject: string
  readonly at: number
  readonly text: string
  readonly links: readonly string[]
  readonly backUrl: string
}

/** Everything the playground's script needs; it reads it from a data attribute. All addresses are of this server. */
export interface Playground {
  readonly clientId: string
  readonly redirectUri: string
  /** `introspect` is what the curl line shows; `introspectThroughPage` takes the form `csrf`, `token` and answers the introspection's JSON. */
  readonly endpoints: Readonly<Record<PlaygroundEndpoint, string>> & { readonly api?: string }
  readonly scopes: readonly { readonly name: string; readonly sentence: string; readonly selected: boolean }[]
  readonly resources: readonly {
    readonly identifier: string
    readonly name: string
    readonly scopes: readonly string[]
  }[]
}
type PlaygroundEndpoint =
  | 'authorize'
  | 'token'
  | 'userinfo'
  | 'revoke'
  | 'jwks'
  | 'introspect'
  | 'introspectThroughPage'

/** View name → model. */
export interface Views extends SignInViews, SettingsViews, DeveloperViews, AdminViews, DocsViews {
  'interactions/sign-in': SignIn
  'interactions/consent': Consent
  'interactions/expired': Expired
  'interactions/device-code': DeviceCode
  'interactions/device-confirm': DeviceConfirm
  'interactions/device-done': DeviceDone
  'interactions/sign-out': SignOut
  'interactions/signed-out': Expired
  'interactions/leave': Leave
  'interactions/setup': Setup
  'interactions/setup-done': { readonly signInUrl?: string }
  error: ErrorPage
  home: Home
  'dev/mailbox': { readonly mails: readonly MailLine[] }
  'dev/mail': MailShown
  'playground/index': Playground
}
export type ViewName = keyof Views

export type PageAnswer = Extract<Answer, { kind: 'page' }>

/** The answer that renders `view` with `model`; status 200 unless told otherwise. */
export function page<V extends ViewName>(
  view: V,
  model: Views[V],
  options: { status?: number; headers?: Record<string, string>; cookies?: readonly Cookie[] } = {},
): PageAnswer {
  return { kind: 'page', view, model, ...options }
}
