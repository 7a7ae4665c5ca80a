/**
 * What is left of keys when their owner's account is removed: nothing. With each root go its children and what was counted of all of them, addresses and
 * all.
 */
import type { Store } from '../storage/store.ts'
import { ownerRoster, treeRoster } from './desk.ts'
import { type KeyKind, type KeyRecord, listingOf } from './key.ts'

const KINDS: readonly KeyKind[] = ['api_key', 'personal_access_token']

/** Ends and removes all of an owner's keys. Cut short, it can be done again while the keys' entries are there. @throws store_unavailable */
export async function removeAll(store: Store, ownerId: string): Promise<void> {
  for (const kind of KINDS) {
    const group = { group: 'listing', value: listingOf(ownerId, kind) }
    const roots = await idsOf(store, group)
    for (const rootId of roots) {
      const children = { group: 'rootId', value: rootId }
      for (const id of [rootId, ...(await idsOf(store, children))]) await removeUsage(store, id)
      await store.removeGroup('key', children.group, children.value)
      await store.remove('key_roster', treeRoster(rootId))
    }
    await store.removeGroup('key', group.group, group.value)
    // A call that was under way may have been written meanwhile.
    for (const rootId of roots) await removeUsage(store, rootId)
  }
  await store.remove('key_roster', ownerRoster(ownerId))
  await store.removeGroup('denial', 'ownerId', ownerId)
  await store.removeGroup('elevation_request', 'ownerId', ownerId)
}

async function removeUsage(store: Store, id: string): Promise<void> {
  await store.removeGroup('usage', 'subject', id)
  await store.remove('key_use', id)
}

async function idsOf(store: Store, group: { group: string; value: string }): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await store.list<KeyRecord>('key', { ...group, limit: 500, ...(cursor ? { cursor } : {}) })
    ids.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor)
  return ids
}
