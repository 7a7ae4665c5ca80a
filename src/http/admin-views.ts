/**
 * The models of the administrators' pages. Times are milliseconds since 1970.
 */
import type { AppRow, ResourceRow, UriVerdict } from './developer-views.ts'
import type { ScopeShown } from './key-views.ts'
import type { Shell } from './settings-views.ts'

export type AppQueue = 'review' | 'all'

export interface AdminAppRow extends AppRow {
  /** The domain its developer has proven. */
  readonly domain?: string
  readonly isWaiting: boolean
}

export interface AdminAppList {
  readonly shell: Shell
  readonly queue: AppQueue
  /** A client id that was looked for. */
  readonly sought?: string
  readonly rows: readonly AdminAppRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
}

export type AdminAppDone = 'suspended' | 'resumed' | 'verified' | 'declined'

export interface AdminApp {
  readonly shell: Shell
  readonly app: AdminAppRow & {
    readonly auth: string
    readonly source: string
    readonly description?: string
    readonly suspendedReason?: string
    readonly declinedReason?: string
    readonly provenBy?: 'dns' | 'file'
    readonly provenAt?: number
    readonly isChangeable: boolean
  }
  /** Whoever registered it; absent for the operator's own and for those that registered themselves. */
  readonly owner?: string
  readonly redirects: readonly UriVerdict[]
  readonly links: readonly { readonly kind: 'home' | 'privacy' | 'terms'; readonly uri: string }[]
  readonly scopes: readonly ScopeShown[]
  /** What the decision is about: the app as it is shown here. */
  readonly seen: number
  readonly done?: AdminAppDone
  readonly problem?: 'changed' | 'not_proven' | 'other_domain' | 'reason' | 'refused'
}

export interface AdminAccountRow {
  readonly id: string
  readonly email: string
  readonly emailVerified: boolean
  readonly name: string
  readonly role: 'member' | 'administrator'
  readonly status: 'active' | 'disabled' | 'leaving'
  readonly createdAt: number
}

export interface AdminAccountList {
  readonly shell: Shell
  readonly query: string
  readonly role?: AdminAccountRow['role']
  readonly status?: AdminAccountRow['status']
  readonly rows: readonly AdminAccountRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  /** False where nobody new may come. */
  readonly mayInvite: boolean
  /** The address that was invited just now. */
  readonly invited?: string
  /** An invitation that was not made. */
  readonly refused?: { readonly email: string; readonly taken: boolean }
}

export type AdminAccountDone = 'disabled' | 'enabled' | 'signed_out' | 'factors_removed' | 'role_changed'
export type AdminAccountProblem = 'reason' | 'last_administrator'

export interface AdminAccount {
  readonly shell: Shell
  readonly account: AdminAccountRow & {
    readonly hasPassword: boolean
    readonly disabledReason?: string
    readonly leavesAt?: number
    readonly attributes: readonly { readonly name: string; readonly value: string }[]
  }
  readonly factors: {
    readonly totp: boolean
    readonly passkeys: number
    readonly recoveryCodes: number
    readonly required: boolean
  }
  /** The administrator looks at the own account. */
  readonly isYou: boolean
  /** The newest entries of its audit trail. */
  readonly trail: readonly {
    readonly at: number
    readonly event: string
    readonly outcome: 'done' | 'refused' | 'failed'
    readonly by: string
    readonly reason?: string
    /** What an operator gave as the reason. */
    readonly why?: string
    readonly ip?: string
  }[]
  readonly done?: AdminAccountDone
  readonly problem?: AdminAccountProblem
}

export interface AdminServer {
  readonly shell: Shell
  /** The engine by its name, and how long it took to answer. */
  readonly store: { readonly engine: string; readonly answeredInMs: number }
  readonly mail: 'smtp' | 'mailbox' | 'off'
  readonly yourEmail: string
  readonly keys: readonly {
    readonly kid: string
    readonly algorithm: string
    readonly signsFrom: number
    readonly state: 'signs' | 'coming' | 'leaving'
    readonly publishedUntil?: number
  }[]
  readonly publishSeconds: number
  readonly done?: 'mail_sent' | 'keys_rotated'
}

type ResourceState = ResourceRow['state']

export interface AdminResourceList {
  readonly shell: Shell
  readonly state: ResourceState
  readonly rows: readonly (ResourceRow & { readonly owner?: string; readonly refusedBecause?: string })[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  readonly done?: 'decided' | 'refused'
}

/** View name → model. */
export interface AdminViews {
  'admin/accounts': AdminAccountList
  'admin/account': AdminAccount
  'admin/server': AdminServer
  'admin/apps': AdminAppList
  'admin/app': AdminApp
  'admin/resources': AdminResourceList
}
