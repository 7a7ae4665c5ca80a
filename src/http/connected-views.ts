/**
 * The models of the settings pages about connected apps. Times are milliseconds since 1970.
 */
import type { ScopeShown } from './key-views.ts'
import type { Shell } from './settings-views.ts'
import type { ConsentDuration, Standing } from './views.ts'

/** What an app was allowed at one resource. */
export interface AllowedAt {
  readonly resource: string
  readonly scopes: readonly ScopeShown[]
}

/** One app that was allowed something. */
export interface ConnectedRow {
  readonly id: string
  readonly name: string
  readonly clientId: string
  readonly standing: Standing
  /** It acts by itself: its tokens say that it acts for the person. */
  readonly agent?: true
  /** Names of apps that act for the person through it. */
  readonly delegates?: readonly string[]
  /** Who the person is: openid, profile, email. */
  readonly identity: readonly ScopeShown[]
  readonly allowed: readonly AllowedAt[]
  readonly duration: ConsentDuration
  readonly firstAt: number
  readonly lastAt: number
  readonly expiresAt?: number
  /** Sign-ins that are alive: each has tokens of its own. */
  readonly families: number
}

/** Everything one vendor holds. `key` names it in the form that stops it. */
export interface ConnectedGroup {
  readonly key: string
  readonly host?: string
  readonly apps: readonly ConnectedRow[]
}

export interface ConnectedList {
  readonly shell: Shell
  readonly groups: readonly ConnectedGroup[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  /** How many were ended just now. */
  readonly stopped?: number
}

export interface ConnectedOne {
  readonly shell: Shell
  readonly app: ConnectedRow
  readonly host?: string
  readonly groupKey: string
  /** Ends that would be earlier than the one it has. */
  readonly ends: readonly ('30d' | '1d')[]
  readonly done?: true
  readonly problem?: 'nothing_left' | 'wider'
}

/** View name → model. */
export interface ConnectedViews {
  'settings/apps': ConnectedList
  'settings/apps-one': ConnectedOne
}
