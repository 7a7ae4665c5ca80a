/**
 * The models of the settings pages about keys and tokens: one set for both, told apart by `room`. `settings-views.ts` has the table of all settings pages.
 * Times are milliseconds since 1970. No model but `KeyRevealed` has room for a secret.
 */
import type { Shell } from './settings-views.ts'

export type KeyRoom = 'keys' | 'tokens'
type KeyState = 'active' | 'rotating' | 'expired' | 'revoked'

/** One line of the list. */
export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly hint: string
  readonly scopes: readonly string[]
  readonly state: KeyState
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastUsedAt?: number
  readonly lastUsedIp?: string
  /** When the secret before this one stops working. */
  readonly oldEndsAt?: number
}

export type KeyFilter = 'active' | 'expired' | 'revoked'

interface KeyPlace {
  readonly shell: Shell
  readonly room: KeyRoom
  /** Where the room's pages are, `/settings/keys`. */
  readonly path: string
}

export interface KeyList extends KeyPlace {
  readonly rows: readonly KeyRow[]
  readonly filter?: KeyFilter
  readonly isFirstPage: boolean
  readonly nextUrl?: string
  /** Absent for an account that has to verify its address first. */
  readonly newUrl?: string
  readonly done?: 'revoked' | 'repeated'
}

export interface ScopeShown {
  readonly name: string
  readonly sentence: string
}

export type KeyLevel = 'none' | 'read' | 'write' | 'admin'

/** One family of scopes on the form. `levels` are those the person may give, the least first. */
export interface FamilyChoice {
  readonly name: string
  readonly levels: readonly KeyLevel[]
  readonly chosen: KeyLevel
  readonly scopes: readonly ScopeShown[]
}

/** `value` is the part that is wrong, where a field holds several. */
export interface KeyProblem {
  readonly field: 'name' | 'scopes' | 'expires' | 'allowed_ips' | 'quota' | 'resource' | 'confirm' | 'form'
  readonly code: string
  readonly value?: string
}

export interface KeyForm extends KeyPlace {
  /** Marks this form: it is taken once. */
  readonly mark: string
  readonly name: string
  readonly access: 'all' | 'read' | 'restricted'
  readonly families: readonly FamilyChoice[]
  /** A number of days, or `custom` with `expiresDays`. */
  readonly expires: string
  readonly expiresDays: string
  readonly presets: readonly number[]
  readonly mostDays: number
  readonly networks: string
  readonly myAddress: string
  readonly isMineOnly: boolean
  readonly resources: readonly { readonly identifier: string; readonly name: string }[]
  readonly resource: string
  readonly quotaRequests: string
  readonly quotaWindow: string
  readonly mayCreateChildren: boolean
  readonly problems: readonly KeyProblem[]
}

/** The one page that shows a secret. `oldEndsAt` after a rotation: until then, at the latest, the old one works. */
export interface KeyRevealed extends KeyPlace {
  readonly id: string
  readonly name: string
  readonly credential: string
  readonly tryUrl: string
  readonly isNew: boolean
  readonly oldEndsAt?: number
}

export interface KeyCallerRow {
  readonly ip: string
  readonly agent: string
  readonly lastAt: number
  readonly calls: number
  readonly callsPerHour: number
  readonly secret: 'current' | 'old' | 'retired'
  /** Of a caller of the old secret: still uses it, has moved to the new one, or was not seen since the rotation. */
  readonly moving?: 'still' | 'moved' | 'unseen'
}

/** A bar of the chart: heights in hundredths of the tallest. */
export interface UsageBar {
  readonly at: number
  readonly ok: number
  readonly denied: number
  readonly limited: number
  readonly heights: { readonly ok: number; readonly denied: number; readonly limited: number }
}

export interface UsageShown {
  readonly by: 'day' | 'hour'
  readonly total: { readonly ok: number; readonly denied: number; readonly limited: number }
  readonly bars: readonly UsageBar[]
  readonly csvUrl: string
}

export interface ChildRow {
  readonly id: string
  readonly name: string
  readonly hint: string
  /** 1 stands directly below the key that is shown. */
  readonly depth: number
  readonly state: KeyState
  readonly scopes: readonly string[]
  readonly lastUsedAt?: number
}

/** Why a call was refused; `reason` is a code with words in the locale. */
export interface DenialRow {
  readonly ref: string
  readonly reason: string
  readonly detail?: string
  readonly at: number
  readonly ip: string
  readonly request?: string
}

export interface KeyShown extends Omit<KeyRow, 'scopes' | 'oldEndsAt'> {
  readonly scopes: readonly ScopeShown[]
  readonly resource?: string
  readonly networks: readonly string[]
  readonly lastAgent?: string
  readonly quota?: { readonly requests: number; readonly windowSeconds: number }
  readonly callBudget?: number
  readonly mayCreateChildren: boolean
  readonly parentId?: string
  readonly revoked?: { readonly at: number; readonly reason: string }
  readonly lifted?: { readonly scope: string; readonly until: number }
  readonly rotation?: {
    readonly oldHint: string
    readonly replacedAt: number
    readonly endsAt: number
    readonly quietSeconds?: number
    readonly untilFirstUse?: true
  }
}

/** A call that was refused and that its owner may allow for a while. */
export interface LiftRow {
  readonly id: string
  readonly scope: string
  readonly askedAt: number
}

export interface LiftAsked {
  readonly shell: Shell
  readonly id: string
  readonly keyId: string
  readonly keyName: string
  readonly hint: string
  readonly scope: ScopeShown
  readonly askedAt: number
  readonly ip: string
  readonly agent: string
  readonly minutes: number
}

export interface KeyDetail extends KeyPlace {
  readonly key: KeyShown
  readonly usage: UsageShown
  readonly callers: readonly KeyCallerRow[]
  readonly children: readonly ChildRow[]
  readonly denials: readonly DenialRow[]
  readonly lifts: readonly LiftRow[]
  /** Whether its owner may allow it more than today. */
  readonly mayWiden: boolean
  readonly problem?: KeyProblem
  readonly done?: 'changed' | 'widened' | 'old_ended' | 'repeated' | 'lifted' | 'not_lifted'
}

/** What a form about the end of an old secret has chosen. */
export interface OverlapChosen {
  readonly overlap: string
  readonly quietHours: string
}

export interface KeyRotation extends KeyPlace, OverlapChosen {
  readonly mark: string
  readonly key: KeyShown
  readonly callers: readonly KeyCallerRow[]
  /** A number of days, or empty: the key ends when it would have ended. None to choose from: its end stays. */
  readonly life: string
  readonly lives: readonly number[]
  readonly problem?: 'conflict' | 'quiet_hours' | 'life'
}

/** What a key or token may be allowed besides: only what the person may give, nothing of it chosen yet. */
export interface KeyWidening extends KeyPlace {
  readonly key: KeyShown
  /** Scopes that it lacks. */
  readonly further: readonly (ScopeShown & { readonly isChosen: boolean })[]
  readonly networks: string
  readonly quotaRequests: string
  readonly quotaWindow: string
  readonly mayCreateChildren: boolean
  readonly problems: readonly KeyProblem[]
}

/** View name → model. */
export interface KeyViews {
  'settings/keys': KeyList
  'settings/keys-new': KeyForm
  'settings/keys-reveal': KeyRevealed
  'settings/keys-one': KeyDetail
  'settings/keys-rotate': KeyRotation
  'settings/keys-widen': KeyWidening
  'settings/lift': LiftAsked
}
