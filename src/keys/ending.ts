/**
 * What an owner, or whoever finds a leaked key, does to one that exists: change it, end its old secret, revoke it. A revocation is one write
 * and is never refused; the tree below goes with it, since every child asks its ancestors.
 */
import type { Caller } from '../observability/audit.ts'
import type { Stored } from '../storage/store.ts'
import { changeEntry, type Desk, getEntry, getOwner, type OwnedKey, ownerRoster, treeRoster } from './desk.ts'
import type { Key, KeyRecord } from './key.ts'
import { placeIn } from './notices.ts'
import { changedRecord, isWider, type KeyChange } from './records.ts'
import { withOverlapEnded } from './rotation.ts'
import { matchSecret, secretDigest } from './secret.ts'

export interface Ending {
  /**
   * Changes what the owner may change. Without `mayWiden` (a recent sign-in, confirmed) it can only narrow; `within` as for `create`.
   * @throws invalid_request, not_found, forbidden for a change that widens, conflict for a dead key.
   */
  change(
    caller: Caller,
    owned: OwnedKey,
    change: KeyChange,
    options?: { mayWiden?: true; within?: readonly string[] | undefined },
  ): Promise<Key>
  /** Ends the old secret of a rotation now. A key without one stays as it is. @throws not_found */
  endOverlap(caller: Caller, owned: OwnedKey): Promise<Key>
  /** Ends the key and everything below it. One that is revoked already keeps its reason. @throws not_found */
  revoke(caller: Caller, owned: OwnedKey, reason?: string): Promise<Key>
  /**
   * Kills what was found: the key, or only its old secret when it is that. Whoever holds a credential may do this; the answer is the same for
   * every text, and nothing happens for one that does not work any more.
   */
  reportLeak(caller: Caller, credential: string): Promise<void>
}

const REASON_LIMIT = 200

export function createEnding(desk: Desk): Ending {
  const { now, policy, look, store, notices } = desk
  return {
    async change(caller, owned, change, { mayWiden, within } = {}) {
      const entry = await getEntry(desk, owned)
      const owner = await getOwner(desk, owned.ownerId)
      const parentId = entry.value.ancestors.at(-1)
      const parent = parentId === undefined ? undefined : (await store.find<KeyRecord>('key', parentId))?.value
      const bounds = { policy, owner, within, now: now(), parent, ...(mayWiden ? { mayWiden } : {}) }
      const details = { fields: Object.keys(change).slice(0, 20).join(' '), may_widen: mayWiden ?? false }
      const act = { caller, entry, event: 'changed', details }
      let isWidened = false
      const { key } = await changeEntry(desk, act, (record) => {
        const changed = changedRecord(record, change, bounds)
        isWidened = isWider(changed, record)
        return changed
      })
      if (isWidened) {
        // Told every time: whoever widens a key in somebody's name must not do so unseen.
        await notices.tell(`widened ${now()}`, { event: 'widened', key, at: now(), ...placeIn(caller) })
      }
      return key
    },
    async endOverlap(caller, owned) {
      const act = { caller, entry: await getEntry(desk, owned), event: 'overlap_ended' }
      return (await changeEntry(desk, act, (record) => (record.old ? withOverlapEnded(record) : undefined))).key
    },
    async revoke(caller, owned, reason = '') {
      const entry = await getEntry(desk, owned)
      const cut = reason.slice(0, REASON_LIMIT)
      const act = { caller, entry, event: 'revoked', details: { reason: cut } }
      const { key, changed } = await changeEntry(desk, act, (record) => revoked(record, cut, now()))
      if (changed) await afterEnd(desk, { caller, entry, key, event: 'revoked', mark: 'revoked' })
      return key
    },
    async reportLeak(caller, credential) {
      const found = await look.find(credential)
      if (!found.known || found.use === 'retired' || found.key.revoked) return
      const entry = await getEntry(desk, { id: found.id, ownerId: found.key.ownerId })
      const digest = secretDigest(credential)
      const act = { caller, entry, event: 'leak_reported' }
      const { key, changed } = await changeEntry(desk, act, (record) => leaked(record, digest, now()))
      if (changed) await afterEnd(desk, { caller, entry, key, event: 'leaked', mark: `leaked ${found.secretNumber}` })
    },
  }
}

function revoked(record: KeyRecord, reason: string, at: number): KeyRecord | undefined {
  if (record.revoked) return undefined
  const { waiting: _waiting, elevation: _elevation, expiryDay: _day, ...rest } = record
  return { ...rest, revoked: { at, reason } }
}

/** The record without the leaked secret, judged at the moment of the write: it may have been rotated in between. */
function leaked(record: KeyRecord, digest: string, at: number): KeyRecord | undefined {
  const use = matchSecret(record, digest)?.use
  if (use === 'current' && record.expiresAt > at) return revoked(record, 'leaked', at)
  return use === 'old' && record.old && record.old.endsAt > at ? withOverlapEnded(record) : undefined
}

interface End {
  readonly caller: Caller
  readonly entry: Stored<KeyRecord>
  readonly key: Key
  readonly event: 'revoked' | 'leaked'
  /** What is told once. */
  readonly mark: string
}

/** Frees its place and tells the owner. A child's end is told by nobody: children come and go by the hundred. */
async function afterEnd(desk: Desk, { caller, entry, key, event, mark }: End): Promise<void> {
  const { rosters, notices, now } = desk
  const { ownerId, ancestors } = entry.value
  const [rootId] = ancestors
  if (key.revoked) await rosters.release(rootId === undefined ? ownerRoster(ownerId) : treeRoster(rootId), key.id)
  if (rootId !== undefined && event === 'revoked') return
  await notices.tell(mark, { event, key, at: now(), ...placeIn(caller) })
}
