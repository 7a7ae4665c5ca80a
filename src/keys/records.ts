/**
 * How the record of a key begins and how it changes by its owner's hand: pure steps over records, which `keys.ts` writes. A change never
 * widens a key silently: whoever may widen says so.
 */
import { AppError } from '../errors.ts'
import {
  type Bounds,
  collect,
  type NewKey,
  refuseField,
  takeFields,
  takeName,
  takeNetworks,
  takeQuota,
  takeScopes,
} from './fields.ts'
import { expiryDayOf, type KeyId, type KeyKind, type KeyQuota, type KeyRecord, listingOf } from './key.ts'
import { areWithin } from './networks.ts'
import { keyIdOf, newLocator, newSecret } from './secret.ts'

/** What an owner may change. Its kind, owner, resource and place in a tree stay. */
export interface KeyChange {
  readonly name?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly allowedIps?: readonly string[] | undefined
  /** Milliseconds since 1970; never later than now set: what has expired cannot be revived. */
  readonly expiresAt?: number | undefined
  /** Null takes it away. */
  readonly quota?: KeyQuota | null | undefined
  readonly mayCreateChildren?: boolean | undefined
}

const CHANGEABLE: ReadonlySet<string> = new Set<keyof KeyChange>([
  'name',
  'scopes',
  'allowedIps',
  'expiresAt',
  'quota',
  'mayCreateChildren',
])

/** How long what has ended is still listed and its use explained. */
const KEPT_MS = 90 * 86_400_000
const KEPT_CHILD_MS = 7 * 86_400_000

/** Whose key it will be, and below which. `parent` is the parent's id with its record. */
export interface Origin {
  readonly kind: KeyKind
  readonly keyPrefix: string
  readonly parentId?: KeyId
  readonly createdNetwork?: string | undefined
}

/** The record of a new key with its id and its secret. @throws invalid_request */
export function newRecord(
  wanted: NewKey,
  origin: Origin,
  bounds: Bounds,
): { id: KeyId; value: KeyRecord; credential: string } {
  const { kind, keyPrefix, parentId, createdNetwork } = origin
  const { owner, parent, now } = bounds
  const fields = takeFields(wanted, bounds)
  const locator = newLocator()
  const { credential, secret } = newSecret(keyPrefix, { kind, locator, number: 1 }, now)
  const ancestors = parent && parentId ? [...parent.ancestors, parentId] : []
  const [rootId] = ancestors
  const groups = rootId ? { rootId } : { listing: listingOf(owner.id, kind), expiryDay: expiryDayOf(fields.expiresAt) }
  const value: KeyRecord = {
    ...fields,
    ...groups,
    kind,
    ownerId: owner.id,
    ancestors,
    locator,
    current: secret,
    retired: [],
    ...(createdNetwork === undefined ? {} : { createdNetwork }),
    createdAt: now,
    updatedAt: now,
  }
  return { id: keyIdOf(locator), value, credential }
}

/** Until when the entry is kept, in milliseconds since 1970. */
export function keptUntil({ ancestors, expiresAt, revoked }: KeyRecord): number {
  return Math.min(expiresAt, revoked?.at ?? expiresAt) + (ancestors.length > 0 ? KEPT_CHILD_MS : KEPT_MS)
}

/**
 * The record with the change applied. Without `mayWiden` every change must narrow.
 * @throws invalid_request for a wrong value or a field that cannot be changed, forbidden for a change that widens, conflict for a dead key.
 */
export function changedRecord(
  record: KeyRecord,
  change: KeyChange,
  bounds: Bounds & { readonly mayWiden?: true },
): KeyRecord {
  for (const field of Object.keys(change)) {
    if (!CHANGEABLE.has(field)) throw refuseField(field, 'This field cannot be changed.')
  }
  if (record.revoked || record.expiresAt <= bounds.now) {
    throw new AppError('conflict', 'This key does not work any more. Make a new one.')
  }
  const changed = applyChange(record, change, bounds)
  if (!bounds.mayWiden && isWider(changed, record)) {
    throw new AppError('forbidden', 'This would widen the key. Sign in again and confirm it, or make a new key.')
  }
  return changed
}

function applyChange(record: KeyRecord, change: KeyChange, bounds: Bounds): KeyRecord {
  const { quota: _quota, ...rest } = record
  return collect((refuse) => {
    const quota = change.quota === undefined ? record.quota : takeQuota(change.quota ?? undefined, refuse)
    const expiresAt = change.expiresAt ?? record.expiresAt
    const isLater = !Number.isInteger(expiresAt) || expiresAt > record.expiresAt
    if (isLater) refuse('/expires_at', 'out_of_range', 'A key can only end earlier.')
    const mayCreateChildren = change.mayCreateChildren ?? record.mayCreateChildren
    if (mayCreateChildren && bounds.parent?.mayCreateChildren === false)
      refuse('/may_create_children', 'beyond_parent', 'Its parent may not create children.')
    return {
      ...rest,
      ...(quota ? { quota } : {}),
      ...(change.name === undefined ? {} : { name: takeName(change.name, refuse) }),
      ...(change.scopes === undefined
        ? {}
        : { scopes: takeScopes(change.scopes, withResource(record, bounds), refuse) }),
      ...(change.allowedIps === undefined
        ? {}
        : { allowedIps: takeNetworks(change.allowedIps, bounds.parent, refuse) }),
      mayCreateChildren,
      ...(isLater ? {} : { expiresAt, ...(record.expiryDay ? { expiryDay: expiryDayOf(expiresAt) } : {}) }),
      updatedAt: bounds.now,
    }
  })
}

/** What the key holds already needs no further right of whoever changes it. */
const withResource = (record: KeyRecord, bounds: Bounds) => ({
  ...bounds,
  resource: record.resource,
  within: bounds.within && [...bounds.within, ...record.scopes],
})

/** Whether the key could do anything afterwards that it could not before. */
export function isWider(after: KeyRecord, before: KeyRecord): boolean {
  return (
    after.scopes.some((scope) => !before.scopes.includes(scope)) ||
    (after.mayCreateChildren && !before.mayCreateChildren) ||
    !areWithin(after.allowedIps, before.allowedIps) ||
    isWiderQuota(after.quota, before.quota)
  )
}

function isWiderQuota(after: KeyQuota | undefined, before: KeyQuota | undefined): boolean {
  if (!before) return false
  return !after || after.requests > before.requests || after.windowSeconds < before.windowSeconds
}
