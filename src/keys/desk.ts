/**
 * What every act on keys needs: finding a key of its owner, changing its entry, noting who did it. A key that belongs to somebody else is not
 * found, whoever asks (AK7).
 */
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store, Stored } from '../storage/store.ts'
import type { KeyPolicy, Owner } from './decide.ts'
import { type Key, type KeyKind, type KeyRecord, toKey } from './key.ts'
import type { Look } from './look.ts'
import type { Notices } from './notices.ts'
import { keptUntil } from './records.ts'
import type { Rosters } from './roster.ts'

/** A key by its owner and id. With `kind`, a key of the other kind is not found. */
export interface OwnedKey {
  readonly ownerId: string
  readonly id: string
  readonly kind?: KeyKind
}

/** The owners of keys, as the keys need them. */
export interface Owners {
  find(id: string): Promise<Owner | undefined>
}

export interface Desk {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly keyPrefix: string
  readonly owners: Owners
  readonly policy: KeyPolicy
  readonly look: Look
  readonly notices: Notices
  readonly rosters: Rosters
}

/** The most living keys of one owner, and descendants of one root. */
export const ownerLimit = 250
export const treeLimit = 1000

export const ownerRoster = (ownerId: string) => `owner ${ownerId}`
export const treeRoster = (rootId: string) => `tree ${rootId}`

/** The entry, for its owner. @throws not_found */
export async function getEntry({ store }: Pick<Desk, 'store'>, owned: OwnedKey): Promise<Stored<KeyRecord>> {
  const entry = await store.find<KeyRecord>('key', owned.id)
  const isTheirs = entry?.value.ownerId === owned.ownerId && (owned.kind ?? entry.value.kind) === entry.value.kind
  if (!entry || !isTheirs) throw missingKey()
  return entry
}

/** An owner who may have keys. @throws forbidden */
export async function getOwner({ owners }: Pick<Desk, 'owners'>, id: string): Promise<Owner> {
  const owner = await owners.find(id)
  if (owner?.status !== 'active')
    throw new AppError('forbidden', 'This account cannot have keys.', because('account_disabled'))
  if (!owner.emailVerified)
    throw new AppError('forbidden', 'Confirm your e-mail address first.', because('account_unverified'))
  return owner
}

interface Act {
  readonly caller: Caller
  readonly entry: Stored<KeyRecord>
  /** What happened: `revoked` becomes `key.revoked` or `token.revoked`. */
  readonly event: string
  readonly details?: Record<string, string | number | boolean>
}

/**
 * Changes the entry and notes it once; the change counts in this process when this returns, in every other within a second.
 * `next` may throw to refuse and answers undefined to leave things as they are.
 */
export async function changeEntry(
  { store, audit, now, look }: Desk,
  { caller, entry, event, details = {} }: Act,
  next: (record: KeyRecord) => KeyRecord | undefined,
): Promise<{ key: Key; changed: boolean }> {
  const { kind, ownerId } = entry.value
  const noted = { event: eventOf(kind, event), accountId: ownerId, subject: entry.id, details }
  return audit.record(caller, noted, async () => {
    try {
      const known = entry
      const change = (record: KeyRecord) => {
        const value = next(record)
        return value && { value: { ...value, updatedAt: now() }, expiresAt: keptUntil(value) }
      }
      const { entry: after, changed } = await store.update<KeyRecord>('key', entry.id, change, known)
      if (!after) throw missingKey()
      return { key: toKey(after, now()), changed }
    } finally {
      look.forgetKey(entry.id)
    }
  })
}

export function eventOf(kind: KeyKind, event: string): string {
  return `${kind === 'api_key' ? 'key' : 'token'}.${event}`
}

export function missingKey(): AppError {
  return new AppError('not_found', 'There is no such key.')
}

/** The cause of a refusal, for the owner of the credential that asked. */
export const because = (reason: string) => ({ details: { reason } })
