/**
 * The models of what a person sees on the way in besides password and consent: second factors, enrolment, sign-up, verification, recovery.
 * `views.ts` has the table of all views.
 */
import type { AskingApp, SetupProblem, SetupReason, ShownAccount } from './views.ts'

export type FactorWay = 'passkey' | 'totp' | 'recovery_code'

export type SecondFactorProblem =
  | { readonly kind: 'wrong' | 'missing' | 'gone' | 'passkey' }
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number }

/** A WebAuthn ceremony for the page's script: `options` are its JSON, `handle` goes back with the answer. */
export interface PasskeyAsked {
  readonly action: string
  readonly handle: string
  readonly options: string
}

export interface SecondFactor {
  readonly app: AskingApp
  readonly account: ShownAccount
  readonly way: FactorWay
  readonly action: string
  readonly others: readonly { readonly way: FactorWay; readonly url: string }[]
  readonly beginAgainAction: string
  readonly passkey?: PasskeyAsked
  /** For how many days this browser may be spared; absent where it may not. */
  readonly trustDays?: number
  readonly problem?: SecondFactorProblem
}

/** What an authenticator app needs, shown once. */
export interface TotpShown {
  readonly key: string
  /** Dark on light. */
  readonly qrSvg: string
}

/** A second factor that must be set up before the sign-in goes on. */
export interface Enrol {
  readonly app: AskingApp
  readonly account: ShownAccount
  readonly action: string
  readonly totp: TotpShown
  readonly beginAgainAction: string
  readonly problem?: SecondFactorProblem
}

/** The app asks for a passkey and the account has none: where to add one, and how to come back. */
export interface PasskeyFirst {
  readonly app: AskingApp
  readonly account: ShownAccount
  readonly addUrl: string
  readonly action: string
  readonly beginAgainAction: string
  readonly cancelAction: string
}

/** Shown once. `continueAction` is a form, `continueUrl` a link. */
export interface RecoveryCodesShown {
  readonly codes: readonly string[]
  readonly continueAction?: string
  readonly continueUrl?: string
}

export interface SignUpModel {
  readonly action: string
  readonly minimumPasswordLength: number
  readonly name: string
  readonly email: string
  /** The address is given by the invitation. */
  readonly isInvited?: true
  /** The sign-in that waits for the new account. */
  readonly interaction?: string
  readonly signInUrl?: string
  readonly problem?: SetupProblem
}

export type VerifyProblem =
  | { readonly kind: 'wrong' | 'limited' }
  | { readonly kind: 'too_soon'; readonly retryAfterSeconds: number }

export interface Verify {
  readonly email: string
  /** Absent when another mail may be asked for now. */
  readonly resendInSeconds?: number
  readonly problem?: VerifyProblem
}

export interface VerifyLink {
  readonly action: string
  readonly email: string
  readonly minimumPasswordLength: number
  /** The link was opened in another browser: whoever reads the mail chooses the password. */
  readonly needsPassword?: true
  readonly passwordProblem?: SetupReason
}

/** An address has to be proven before anything else. */
export interface Unverified {
  /** The app that waits for it. */
  readonly app?: AskingApp
  readonly account: ShownAccount
  readonly action: string
  /** A path of this server. */
  readonly returnTo?: string
  readonly switchAction?: string
  readonly cancelAction?: string
}

/** An app that is still being tried, and somebody who is not among its testers. */
export interface OnTrial {
  readonly app: AskingApp
  readonly account: ShownAccount
  readonly switchAction: string
  readonly cancelAction: string
}

export interface NewPassword {
  readonly email: string
  readonly minimumPasswordLength: number
  readonly problem?: SetupReason
}

/** The end of something, with the way on. */
export interface Done {
  readonly kind: 'verified' | 'recover_sent' | 'recovered' | 'leaving' | 'kept'
  readonly continueUrl?: string
}

/** An account that leaves, and the button that keeps it. */
export interface Keep {
  readonly action: string
  readonly email: string
  /** Milliseconds since 1970. */
  readonly leavesAt: number
}

/** View name → model. */
export interface SignInViews {
  'interactions/second-factor': SecondFactor
  'interactions/enrol': Enrol
  'interactions/passkey-first': PasskeyFirst
  'interactions/recovery-codes': RecoveryCodesShown
  'interactions/sign-up': SignUpModel
  'interactions/verify': Verify
  'interactions/verify-link': VerifyLink
  'interactions/unverified': Unverified
  'interactions/trial': OnTrial
  'interactions/recovered': { readonly signInUrl: string }
  'interactions/recover': { readonly isMissing?: true }
  'interactions/new-password': NewPassword
  'interactions/done': Done
  'interactions/keep': Keep
}
