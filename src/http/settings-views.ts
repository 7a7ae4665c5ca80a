/**
 * The models of the settings pages. `views.ts` has the table of all views.
 */
import type { ConnectedViews } from './connected-views.ts'
import type { KeyViews } from './key-views.ts'
import type { PasskeyAsked, SecondFactorProblem, TotpShown } from './sign-in-views.ts'

export type SettingsSection =
  | 'profile'
  | 'security'
  | 'sessions'
  | 'activity'
  | 'keys'
  | 'tokens'
  | 'apps'
  | 'developer'
  | 'admin'

/** The navigation of the settings. */
export interface Shell {
  readonly here: SettingsSection
  readonly sections: readonly { readonly id: SettingsSection; readonly path: string }[]
}

/** Something the person should look at, and where to mend it. */
export interface SettingsCard {
  readonly kind:
    | 'unverified_email'
    | 'no_second_factor'
    | 'few_recovery_codes'
    | 'keys_expiring'
    | 'tokens_expiring'
    | 'new_device'
    | 'new_app'
  readonly url: string
  readonly count?: number
  /** Whose: the app's. */
  readonly name?: string
  /** Milliseconds since 1970. */
  readonly at?: number
}

/** What was not taken: a field of the form, or the picture. */
export type ProfileProblem = 'name' | 'picture' | `attribute_${string}`

/** Something a person may say about themselves; its field is `attribute_<name>`. */
export interface AttributeShown {
  readonly name: string
  readonly label: string
  readonly value: string
  readonly choices?: readonly string[]
}

export interface ProfileModel {
  readonly shell: Shell
  readonly name: string
  readonly locale: string
  readonly attributes: readonly AttributeShown[]
  readonly picture?: string
  readonly email: string
  readonly emailVerified: boolean
  readonly createdAt: number
  readonly id: string
  readonly cards: readonly SettingsCard[]
  /** What was saved just now. */
  readonly saved?: 'profile' | 'email'
  readonly problem?: ProfileProblem
}

export type PasswordReason = 'missing' | 'too_short' | 'too_long' | 'malformed' | 'too_common'

export interface SecurityModel {
  readonly shell: Shell
  readonly email: string
  readonly hasPassword: boolean
  readonly minimumPasswordLength: number
  /** The operator asks this account for a second factor. */
  readonly required: boolean
  /** Milliseconds since 1970; absent without an authenticator app. */
  readonly totpSince?: number
  readonly passkeys: readonly PasskeyRow[]
  readonly recoveryCodes: number
  readonly fewRecoveryCodes: boolean
  /** Something was not removed because the account needs it. */
  readonly isLastFactor?: true
  readonly done?: 'password' | 'totp' | 'passkey' | 'renamed' | 'removed'
  readonly passwordProblem?: PasswordReason
}

interface PasskeyRow {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  readonly lastUsedAt?: number
  readonly backedUp: boolean
}

export interface TotpModel {
  readonly shell: Shell
  readonly totp: TotpShown
  readonly problem?: SecondFactorProblem
}

export interface PasskeyModel {
  readonly shell: Shell
  readonly passkey: PasskeyAsked
  readonly device: { readonly browser?: string; readonly system?: string }
  readonly isRefused: boolean
}

/** One browser in which the account is signed in. Times are milliseconds since 1970. */
export interface SessionRow {
  readonly id: string
  readonly isHere: boolean
  readonly browser?: string
  readonly system?: string
  readonly ip: string
  readonly lastSeenAt: number
  readonly signedInAt: number
  /** Names of the apps it is signed in to. */
  readonly apps: readonly string[]
}

export interface SessionsModel {
  readonly shell: Shell
  readonly rows: readonly SessionRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  /** How many were ended just now. */
  readonly ended?: number
}

export type ActivityKind = 'sign_in' | 'account' | 'apps' | 'keys'

/** One record of the audit; `event`, `reason` and `by` are codes with words in the locale. */
export interface ActivityRow {
  readonly at: number
  readonly event: string
  readonly outcome: 'done' | 'refused' | 'failed'
  readonly reason?: string
  readonly subject?: string
  readonly by?: string
  /** The name of the app that acted for the person. */
  readonly agent?: string
  readonly ip?: string
  readonly browser?: string
  readonly system?: string
}

export interface ActivityModel {
  readonly shell: Shell
  readonly rows: readonly ActivityRow[]
  readonly kinds: readonly ActivityKind[]
  readonly kind?: ActivityKind
  readonly outcome?: ActivityRow['outcome']
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  readonly csvUrl: string
}

/** One page for the whole change: the new address, its code, or its link, whichever the model has. */
export interface EmailModel {
  readonly shell: Shell
  readonly email: string
  readonly typed?: string
  /** A code is on its way. */
  readonly isAsked?: true
  /** The link was opened. */
  readonly newEmail?: string
  readonly confirmAction?: string
  readonly problem?: 'malformed' | 'wrong' | 'limited' | 'gone' | 'other_account'
}

/** One refusal: `reason` and `of`, the kind of credential, are codes with words in the locale. */
export interface RefusedRow {
  readonly ref: string
  readonly reason: string
  readonly detail?: string
  readonly of: string
  /** Where the credential is looked at. */
  readonly url?: string
  readonly request?: string
  readonly at: number
  readonly ip: string
  readonly browser?: string
  readonly system?: string
}

interface RefusedModel {
  readonly shell: Shell
  readonly rows: readonly RefusedRow[]
  /** The reference that was asked for. */
  readonly ref?: string
  readonly isFirstPage: boolean
  readonly nextUrl?: string
}

export type DeleteProblem = 'email' | 'last_administrator'

export interface DeleteModel {
  readonly shell: Shell
  readonly email: string
  readonly delaySeconds: number
  readonly problem?: DeleteProblem
}

/** View name → model. */
export interface SettingsViews extends KeyViews, ConnectedViews {
  'settings/profile': ProfileModel
  'settings/delete': DeleteModel
  'settings/email': EmailModel
  'settings/security': SecurityModel
  'settings/totp': TotpModel
  'settings/passkey': PasskeyModel
  'settings/recovery-codes': { readonly shell: Shell; readonly codes: readonly string[] }
  'settings/sessions': SessionsModel
  'settings/activity': ActivityModel
  'settings/refused': RefusedModel
}
