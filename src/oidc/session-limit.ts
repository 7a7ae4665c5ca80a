/**
 * How many browsers one account may be signed in on: a hundred, and whoever signs in beyond that signs the oldest out (threats.md SS8). What
 * that costs depends neither on how many sessions are stored nor on how many one account has: an index is read, two pages at most.
 */
import type { Store } from '../storage/store.ts'
import type { Artefact } from './work.ts'

const SESSIONS_AT_MOST = 100

interface SessionLimitParts {
  readonly store: Pick<Store, 'list'>
  /** Ends one session as its own browser would; true if it was there. */
  readonly signOut: (uid: string) => Promise<boolean>
  /** Told of each account whose oldest sessions have ended, and how many. */
  readonly onEnded: (accountId: string, count: number) => Promise<void>
}

/**
 * Called once a session of that account is stored: ends the oldest ones beyond the limit, never `uid` itself. Of any number of racing sign-ins the
 * last one sees the sessions of all others, so at most the limit is left. More than a page of surplus goes with the sign-ins that follow.
 */
export type LimitSessions = (accountId: string, uid: string) => Promise<void>

export function createSessionLimit({ store, signOut, onEnded }: SessionLimitParts): LimitSessions {
  return async (accountId, uid) => {
    const group = { group: 'accountId', value: accountId, limit: SESSIONS_AT_MOST }
    const { nextCursor } = await store.list<Artefact>('session', group)
    if (nextCursor === undefined) return
    const { items } = await store.list<Artefact>('session', { ...group, cursor: nextCursor })
    const surplus = items.flatMap(({ value }) => (value.uid && value.uid !== uid ? [value.uid] : []))
    const ended = await Promise.all(surplus.map(signOut))
    const count = ended.filter(Boolean).length
    if (count > 0) await onEnded(accountId, count)
  }
}
