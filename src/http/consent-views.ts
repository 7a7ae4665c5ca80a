/**
 * The model of the consent page: who asks, as whom, for what, for how long. What may be ticked off is decided by whoever fills it in.
 */
import type { AskingApp, ShownAccount } from './views.ts'

/** `sentence` is the configured English one; a built-in sentence is shown in the reader's language. `refusable`: gets a checkbox. */
export interface ScopeRow {
  readonly name: string
  readonly sentence: string
  readonly isNew: boolean
  readonly refusable: boolean
  readonly checked: boolean
}

export interface ScopeGroup {
  readonly access: 'read' | 'write' | 'admin'
  readonly scopes: readonly ScopeRow[]
}

/** One service the person has connected, with a tick for each thing that may be done there. `icon` is a `data:` address. */
export interface ConnectionRow {
  readonly id: string
  readonly name: string
  readonly icon?: string
  readonly ticks: readonly {
    readonly action: 'read' | 'write'
    readonly value: string
    readonly checked: boolean
    readonly isNew: boolean
  }[]
}

/** `isUnknown`: nobody could say what is connected. `notConnected`: asked for by name, and the person has none of that. */
export interface ConnectionsAsked {
  readonly rows: readonly ConnectionRow[]
  readonly personChooses: boolean
  readonly isUnknown: boolean
  readonly notConnected: readonly string[]
}

/** Who put the app here, and when (milliseconds since 1970). `document`: it describes itself where its id points. */
export interface Registered {
  readonly by: 'operator' | 'developer' | 'itself' | 'document'
  readonly at?: number
}

export type ConsentWarning = 'loopback' | 'private_scheme' | 'unverified'
export type ConsentDuration = 'until_revoked' | '30d' | '1d' | 'session'

export interface Consent {
  /** `redirectHost`: where the browser goes next; for a private scheme the scheme with its colon. */
  readonly app: AskingApp & {
    readonly redirectHost: string
    readonly registered: Registered
    readonly warnings: readonly ConsentWarning[]
    /** It acts by itself, and its tokens say so. */
    readonly agent?: true
    /** What its developer says it is for. */
    readonly description?: string
    readonly policyUri?: string
    readonly tosUri?: string
  }
  readonly account: ShownAccount
  readonly resource: { readonly identifier: string; readonly name: string }
  /** openid, profile, email, offline_access: who the person is. */
  readonly identity: readonly ScopeRow[]
  readonly groups: readonly ScopeGroup[]
  readonly connections?: ConnectionsAsked
  readonly alreadyGranted: readonly { readonly name: string; readonly sentence: string }[]
  readonly durations: readonly ConsentDuration[]
  readonly duration: ConsentDuration
  readonly action: string
  /** A form posts there to choose another account. */
  readonly switchAction: string
  /** Shown to the app's developer: nothing on it does anything, and this is the way back. */
  readonly previewOf?: string
  readonly problem?: 'stale'
}
