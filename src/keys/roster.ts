/**
 * How many living keys an owner, or a tree of children, may have at once. A place is claimed before the key is made and given back when it
 * ends: of racing claims none gets more places than there are, and a place whose key was never made is free when that would have ended.
 */
import { AppError } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import { upsert } from './upsert.ts'

/** The stored value of kind `key_roster`: until when each place is taken, in milliseconds since 1970. */
type Roster = Readonly<Record<string, number>>

export interface Rosters {
  /** @throws conflict when every place is taken. */
  claim(roster: string, place: { id: string; until: number; limit: number }): Promise<void>
  /** The place is taken for longer: the life of its key was renewed. */
  extend(roster: string, place: { id: string; until: number }): Promise<void>
  /** Never throws: a place that could not be given back is free when its key would have ended. */
  release(roster: string, id: string): Promise<void>
}

export function createRosters({ store, now }: { store: Store; now: () => number }): Rosters {
  return {
    async claim(roster, { id, until, limit }) {
      let isFull = false
      const next = (known: Roster = {}): Roster | undefined => {
        const living = Object.entries(known).filter(([, end]) => end > now())
        isFull = living.length >= limit
        return isFull ? undefined : Object.fromEntries([...living, [id, until]])
      }
      // The longest life a key can have, so that the entry never ends before its places.
      const expiresAt = now() + 3651 * 86_400_000
      await upsert(store, { kind: 'key_roster', id: roster, next, expiresAt })
      if (isFull) throw new AppError('conflict', `There are ${limit} already. Revoke one first.`)
    },
    async extend(roster, { id, until }) {
      const next = (known: Roster) => ({ value: { ...known, [id]: until } })
      await store.update<Roster>('key_roster', roster, next)
    },
    async release(roster, id) {
      const without = (known: Roster) => {
        const { [id]: place, ...others } = known
        return place === undefined ? undefined : { value: others }
      }
      await store.update<Roster>('key_roster', roster, without).catch(() => undefined)
    },
  }
}
