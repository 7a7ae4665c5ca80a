/**
 * The models of the settings pages about connected apps. Times are milliseconds since 1970.
 */

import type { ConsentDuration } from './consent-views.ts'
import type { ScopeShown } from './key-views.ts'
import type { Shell } from './settings-views.ts'
import type { Standing } from './views.ts'

/** What an app was allowed at one resource. */
export interface AllowedAt {
  readonly resource: string
  readonly scopes: readonly ScopeShown[]
}

/** One of the person's connected services at one resource; `value` is what its tick sends. */
export interface ConnectionAt {
  readonly name: string
  readonly resource: string
  readonly ticks: readonly { readonly action: 'read' | 'write'; readonly value: string }[]
}

/** One line of what was ever allowed. */
export interface ConsentNoteRow {
  readonly name: string
  readonly act: 'allowed' | 'narrowed' | 'ended'
  readonly at: number
  readonly scopes: readonly ScopeShown[]
  readonly refused: readonly ScopeShown[]
  readonly connections: readonly { readonly name: string; readonly actions: readonly ('read' | 'write')[] }[]
  readonly duration?: ConsentDuration
  readonly expiresAt?: number
}

export interface ConsentNotes {
  readonly shell: Shell
  readonly notes: readonly ConsentNoteRow[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
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
  readonly connections: readonly ConnectionAt[]
  readonly duration: ConsentDuration
  readonly firstAt: number
  readonly lastAt: number
  /** To the hour; absent when nothing of it was ever used. */
  readonly usedAt?: number
  readonly expiresAt?: number
  /** Sign-ins that are alive: each has tokens of its own. */
  readonly families: number
}

/** Everything one vendor holds. `key` names it in the form that stops it. */
export interface ConnectedGroup {
  readonly key: string
  readonly host?: string
  /** The newest. */
  readonly apps: readonly ConnectedRow[]
  readonly hasMore: boolean
  /** Of all of its apps together. */
  readonly families: number
}

export interface ConnectedList {
  readonly shell: Shell
  readonly groups: readonly ConnectedGroup[]
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  readonly historyUrl: string
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
  /** How long a service that asks nobody may take a token that was issued before. */
  readonly offlineMinutes: number
  /** The newest. */
  readonly notes: readonly ConsentNoteRow[]
  readonly historyUrl: string
  readonly done?: true
  readonly problem?: 'nothing_left' | 'wider'
}

/** View name → model. */
export interface ConnectedViews {
  'settings/apps': ConnectedList
  'settings/apps-one': ConnectedOne
  'settings/apps-history': ConsentNotes
}
