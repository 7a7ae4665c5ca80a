/**
 * Counting against a shared counter with few round trips: a process reserves some of the limit, spends it locally and comes back for
 * more. Reservations are cut at the limit, so all processes together never admit more than it. What one process reserved and did not
 * spend is lost until the window ends; therefore a reservation begins with one and doubles while it is spent, so that many processes, or
 * one that is started again and again, do not use a limit up between them. A share of 1 is exact counting.
 */
import type { Store } from '../storage/store.ts'

export interface Wanted {
  readonly counter: string
  readonly limit: number
  readonly windowSeconds: number
  /** How many to reserve at once, at most. */
  readonly share: number
}

export interface Taken {
  readonly allowed: boolean
  /** A lower bound of what is left to everybody. */
  readonly remaining: number
  readonly resetSeconds: number
}

export interface Reservations {
  /** Counts one. Throws what the store throws. */
  take(wanted: Wanted): Promise<Taken>
  /** How many this process has reserved of a counter and not spent. */
  held(counter: string): number
}

/** What this process holds of one counter until `endsAt`. */
interface Purse {
  left: number
  /** Not yet reserved by anybody, as of the last look. */
  unreserved: number
  endsAt: number
  /** How many were reserved last. */
  lastShare: number
  refill: Promise<void> | undefined
}

/** More purses than this are not kept: the oldest is dropped, and with it at most one share. */
const MAX_PURSES = 20_000

export function createReservations({
  store,
  now,
}: {
  store: Pick<Store, 'increment'>
  now: () => number
}): Reservations {
  const purses = new Map<string, Purse>()

  const exact = async ({ counter, limit, windowSeconds }: Wanted): Promise<Taken> => {
    const { count, resetSeconds } = await store.increment(counter, windowSeconds)
    return { allowed: count <= limit, remaining: Math.max(0, limit - count), resetSeconds }
  }

  const refill = async (purse: Purse, wanted: Wanted): Promise<void> => {
    const { counter, limit, windowSeconds } = wanted
    const share = Math.max(1, Math.min(wanted.share, purse.lastShare * 2))
    const { count, resetSeconds } = await store.increment(counter, windowSeconds, share)
    purse.lastShare = share
    const before = count - share
    purse.left += Math.max(0, Math.min(share, limit - before))
    purse.unreserved = Math.max(0, limit - count)
    purse.endsAt = now() + resetSeconds * 1000
  }

  const purseOf = (counter: string): Purse => {
    const known = purses.get(counter)
    if (known && (known.refill || known.endsAt > now())) return known
    const purse: Purse = { left: 0, unreserved: 1, endsAt: 0, lastShare: 0, refill: undefined }
    purses.delete(counter)
    purses.set(counter, purse)
    if (purses.size > MAX_PURSES) for (const oldest of purses.keys()) if (purses.delete(oldest)) break
    return purse
  }

  const reserved = async (wanted: Wanted): Promise<Taken> => {
    const purse = purseOf(wanted.counter)
    // Many requests of one moment wait for one refill and share it; a counter known to be used up is not asked again.
    while (purse.left === 0 && purse.unreserved > 0) {
      purse.refill ??= refill(purse, wanted).finally(() => {
        purse.refill = undefined
      })
      await purse.refill
    }
    const allowed = purse.left > 0
    if (allowed) purse.left -= 1
    const resetSeconds = Math.max(0, Math.ceil((purse.endsAt - now()) / 1000))
    return { allowed, remaining: purse.left + purse.unreserved, resetSeconds }
  }

  return {
    take: (wanted) => (wanted.share > 1 ? reserved(wanted) : exact(wanted)),
    held(counter) {
      const purse = purses.get(counter)
      return purse && purse.endsAt > now() ? purse.left : 0
    },
  }
}
