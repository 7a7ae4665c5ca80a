/**
 * Keys of one owner that end soon: what the first page of the settings warns of. Mails about it are `tending.ts`'s.
 */
import type { Store } from '../storage/store.ts'
import { type KeyKind, type KeyRecord, listingOf, toKey } from './key.ts'

export interface Expiring {
  readonly kind: KeyKind
  readonly count: number
  /** When the first of them ends, milliseconds since 1970. */
  readonly at: number
}

/** Live keys of that owner that end within that time; kinds without one are left out. */
export async function findExpiring(
  { store, now }: { readonly store: Pick<Store, 'list'>; readonly now: () => number },
  ownerId: string,
  withinMs: number,
): Promise<readonly Expiring[]> {
  const until = now() + withinMs
  const kinds = ['api_key', 'personal_access_token'] as const
  const found = await Promise.all(
    kinds.map(async (kind): Promise<Expiring> => {
      const ends: number[] = []
      let cursor: string | undefined
      do {
        const paging = { limit: 200, ...(cursor ? { cursor } : {}) }
        const page = await store.list<KeyRecord>('key', {
          group: 'listing',
          value: listingOf(ownerId, kind),
          ...paging,
        })
        const live = page.items.map((entry) => toKey(entry, now())).filter(({ state }) => LIVE.includes(state))
        ends.push(...live.map(({ expiresAt }) => expiresAt).filter((at) => at <= until))
        cursor = page.nextCursor
      } while (cursor)
      return { kind, count: ends.length, at: Math.min(...ends) }
    }),
  )
  return found.filter(({ count }) => count > 0)
}

const LIVE = ['active', 'rotating']
