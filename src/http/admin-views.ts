/**
 * The models of the administrators' pages. Times are milliseconds since 1970.
 */
import type { AppRow, UriVerdict } from './developer-views.ts'
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

/** View name → model. */
export interface AdminViews {
  'admin/apps': AdminAppList
  'admin/app': AdminApp
}
