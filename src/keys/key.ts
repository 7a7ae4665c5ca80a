/**
 * What a key is: as it is stored, and as the rest of the server sees it. "Key" stands for both kinds: the API key and the personal
 * access token. The digests of its secrets are in the stored form only, so that no page, log or answer can hold them by accident.
 * One entry holds everything that decides over a key, so that every change of it is one atomic write.
 */
import type { Replaced } from '../overlap.ts'
import type { Stored } from '../storage/store.ts'

export type KeyId = string & { readonly brand: 'KeyId' }
export type KeyKind = 'api_key' | 'personal_access_token'
export type KeyState = 'active' | 'rotating' | 'expired' | 'revoked'

/** So many requests in a window. */
export interface KeyQuota {
  readonly requests: number
  readonly windowSeconds: number
}

/** A secret as it is kept. `number` rises with every rotation. Times are milliseconds since 1970. */
export interface KeySecret {
  readonly number: number
  readonly digest: string
  readonly hint: string
  readonly createdAt: number
}

/** The secret before the current one. It works until `endsAt`, or ends before that as its callers move. */
export interface OldSecret extends KeySecret, Replaced {}

/** One more scope for a while; dead with the secret it was given to. */
export interface Elevation {
  readonly scope: string
  readonly until: number
  readonly secretNumber: number
}

interface KeyFields {
  readonly kind: KeyKind
  readonly ownerId: string
  readonly name: string
  readonly scopes: readonly string[]
  /** The one resource it works at; absent: every resource that owns its scopes. */
  readonly resource?: string
  readonly notBefore?: number
  readonly expiresAt: number
  /** Canonical CIDRs; empty: from everywhere. */
  readonly allowedIps: readonly string[]
  readonly quota?: KeyQuota
  /** Calls it may make in its whole life, those of its descendants included. */
  readonly callBudget?: number
  readonly mayCreateChildren: boolean
  /** The root first, the parent last; empty for a root. */
  readonly ancestors: readonly string[]
  readonly elevation?: Elevation
  readonly revoked?: { readonly at: number; readonly reason: string }
  readonly createdAt: number
  readonly updatedAt: number
}

/** The stored value of kind `key`. */
export interface KeyRecord extends KeyFields {
  /** The first characters of every secret of this key, by which its entry is found. No secret: the rest is. */
  readonly locator: string
  readonly current: KeySecret
  readonly old?: OldSecret
  /** The latest secrets that do not work any more: their use is explained to the owner. */
  readonly retired: readonly { readonly number: number; readonly digest: string }[]
  /** The network it was created from, which is never new. */
  readonly createdNetwork?: string
  /** Groups: the owner's list of that kind, the tree, the day it expires on, a rotation that waits for what its callers do. */
  readonly listing?: string
  readonly rootId?: string
  readonly expiryDay?: string
  readonly waiting?: 'use'
}

/** What the owner may see of the old secret during a rotation. */
export interface Rotation extends Replaced {
  readonly oldHint: string
}

export interface Key extends KeyFields {
  readonly id: KeyId
  readonly hint: string
  readonly state: KeyState
  readonly secretNumber: number
  readonly secretCreatedAt: number
  readonly rotation?: Rotation
}

/** The key without what is nobody's business, and what it is at `now`. */
export function toKey({ id, value }: Pick<Stored<KeyRecord>, 'id' | 'value'>, now: number): Key {
  const { locator, current, old, retired, createdNetwork, listing, rootId, expiryDay, waiting, ...fields } = value
  const { elevation, ...rest } = fields
  const isElevated = elevation && elevation.until > now && elevation.secretNumber === current.number
  return {
    ...rest,
    ...(isElevated ? { elevation } : {}),
    id: id as KeyId,
    hint: current.hint,
    state: stateOf(value, now),
    secretNumber: current.number,
    secretCreatedAt: current.createdAt,
    ...(old && old.endsAt > now ? { rotation: rotationOf(old) } : {}),
  }
}

/** What the key is at `now`, its ancestors left aside. */
export function stateOf({ revoked, expiresAt, old }: KeyRecord, now: number): KeyState {
  if (revoked) return 'revoked'
  if (expiresAt <= now) return 'expired'
  return old && old.endsAt > now ? 'rotating' : 'active'
}

/** How a credential is named in `act.sub`, `X-Licet-Credential`, denials and the audit: `api_key:<id>`. */
export function credentialName({ kind, id }: Pick<Key, 'kind' | 'id'>): string {
  return `${kind}:${id}`
}

/** The group of an owner's keys of one kind; children stand in their tree instead. */
export function listingOf(ownerId: string, kind: KeyKind): string {
  return `${ownerId} ${kind}`
}

/** The group of keys that expire on the same day, UTC. */
export function expiryDayOf(expiresAt: number): string {
  return new Date(expiresAt).toISOString().slice(0, 10)
}

function rotationOf({ number: _number, digest: _digest, createdAt: _createdAt, hint, ...times }: OldSecret): Rotation {
  return { oldHint: hint, ...times }
}
