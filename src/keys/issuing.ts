/**
 * Making secrets: new keys, children of keys, and rotations. The credential is in the answer and nowhere else. A key is made by a person who
 * has just signed in or, as a child, by its parent; the routes demand that.
 */
import { AppError, hasCode } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import { checkOverlap, waitsForUse } from '../overlap.ts'
import type { Allowed } from './check.ts'
import {
  because,
  changeEntry,
  type Desk,
  eventOf,
  getEntry,
  getOwner,
  type OwnedKey,
  ownerLimit,
  ownerRoster,
  treeLimit,
  treeRoster,
} from './desk.ts'
import type { Bounds, NewKey } from './fields.ts'
import { type Key, type KeyId, type KeyKind, type KeyRecord, toKey } from './key.ts'
import { placeOf } from './networks.ts'
import { placeIn } from './notices.ts'
import { keptUntil, newRecord, type Origin } from './records.ts'
import { checkRenewal, type RotationWish, rotated } from './rotation.ts'
import { newSecret } from './secret.ts'

/** `credential` is there once and never again. */
export interface IssuedKey {
  readonly key: Key
  readonly credential: string
}

export interface Issuing {
  /**
   * A new key of that owner. `within`: the scopes of the access token that asks; absent for the owner in person.
   * @throws invalid_request with one entry per wrong field, forbidden for an owner who may have none, conflict beyond 250 living keys.
   */
  create(
    caller: Caller,
    owner: { ownerId: string; kind: KeyKind; within?: readonly string[] | undefined },
    wanted: NewKey,
  ): Promise<IssuedKey>
  /**
   * A child of the key that has just been checked: fewer scopes, shorter life, narrower network, a budget of its own.
   * @throws invalid_request, forbidden for a parent that may have none or stands five levels deep, conflict beyond 1,000 in the tree.
   */
  createChild(caller: Caller, parent: Allowed, wanted: NewKey): Promise<IssuedKey>
  /**
   * The same key with a new secret. Of racing rotations one is made.
   * @throws invalid_request, not_found, conflict for a dead key, a race that was lost, or an overlap that still runs.
   */
  rotate(caller: Caller, owned: OwnedKey, wish?: RotationWish): Promise<IssuedKey>
}

/** A root's children stand at depth 1. */
const DEPTH_LIMIT = 5

export function createIssuing(desk: Desk): Issuing {
  const { now, keyPrefix, policy, notices } = desk

  return {
    async create(caller, { ownerId, kind, within }, wanted) {
      const owner = await getOwner(desk, ownerId)
      const createdNetwork = caller.ip === undefined ? undefined : placeOf(caller.ip)
      const bounds = { policy, owner, within, now: now() }
      const issued = await issue(desk, caller, { wanted, origin: { kind, keyPrefix, createdNetwork }, bounds })
      await notices.tell('created', { event: 'created', key: issued.key, at: now(), ...placeIn(caller) })
      return issued
    },
    async createChild(caller, { key, owner }, wanted) {
      const entry = await getEntry(desk, { id: key.id, ownerId: owner.id })
      checkParent(entry.value, now())
      const { kind } = entry.value
      const bounds = { policy, owner, now: now(), parent: entry.value }
      return issue(desk, caller, { wanted, origin: { kind, keyPrefix, parentId: key.id }, bounds })
    },
    async rotate(caller, owned, wish = {}) {
      checkOverlap(wish)
      const entry = await getEntry(desk, owned)
      const { kind, locator, current } = entry.value
      const { credential, secret } = newSecret(keyPrefix, { kind, locator, number: current.number + 1 }, now())
      if (wish.expiresInSeconds !== undefined)
        checkRenewal(entry.value, wish, { policy, owner: await getOwner(desk, owned.ownerId), now: now() })
      const details = rotationDetails(wish)
      const { key } = await changeEntry(desk, { caller, entry, event: 'rotated', details }, (record) => {
        // Judged against the secret that was there when this began: of racing rotations one is made.
        if (record.current.number !== current.number)
          throw new AppError('conflict', 'It was rotated at the same moment.')
        return rotated(record, secret, wish, now())
      })
      if (wish.expiresInSeconds !== undefined)
        await desk.rosters.extend(ownerRoster(owned.ownerId), { id: owned.id, until: key.expiresAt })
      return { key, credential }
    },
  }
}

function rotationDetails(wish: RotationWish): Record<string, string | number | boolean> {
  return {
    overlap_seconds: wish.overlapSeconds ?? (waitsForUse(wish) ? 'as callers move' : 'default'),
    ...(wish.lost ? { lost: true } : {}),
    ...(wish.expiresInSeconds === undefined ? {} : { expires_in: wish.expiresInSeconds }),
  }
}

interface Wanted {
  readonly wanted: NewKey
  readonly origin: Origin
  readonly bounds: Bounds
}

async function issue(desk: Desk, caller: Caller, { wanted, origin, bounds }: Wanted): Promise<IssuedKey> {
  const { audit, now } = desk
  const made = newRecord(wanted, origin, bounds)
  const { kind, ownerId, ancestors, scopes } = made.value
  const event = eventOf(kind, origin.parentId ? 'child_created' : 'created')
  const details = { scopes, name: made.value.name, ...(origin.parentId ? { parent: origin.parentId } : {}) }
  const entry = { event, accountId: ownerId, subject: made.id, details }
  return audit.record(caller, entry, async () => {
    const [rootId] = ancestors
    const roster = rootId === undefined ? ownerRoster(ownerId) : treeRoster(rootId)
    const limit = rootId === undefined ? ownerLimit : treeLimit
    await desk.rosters.claim(roster, { id: made.id, until: made.value.expiresAt, limit })
    const stored = await putNew(desk, made)
    return { key: toKey(stored, now()), credential: made.credential }
  })
}

async function putNew({ store }: Desk, { id, value }: { id: KeyId; value: KeyRecord }) {
  try {
    return await store.put<KeyRecord>('key', { id, value, expiresAt: keptUntil(value) }, 'create')
  } catch (error) {
    // Two locators of 60 random bits that meet: as good as never, and harmless.
    throw hasCode(error, 'conflict') ? new AppError('overloaded', 'Try again.', { cause: error }) : error
  }
}

function checkParent(parent: KeyRecord, now: number): void {
  if (!parent.mayCreateChildren)
    throw new AppError('forbidden', 'This key may not create children.', because('children_not_allowed'))
  if (parent.revoked || parent.expiresAt <= now) throw new AppError('forbidden', 'This key does not work any more.')
  if (parent.ancestors.length >= DEPTH_LIMIT) {
    throw new AppError('forbidden', `Children stand at most ${DEPTH_LIMIT} levels deep.`, because('children_too_deep'))
  }
}
