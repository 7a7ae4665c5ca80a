/**
 * What a key may spend: its quota (requests per window) and its call budget (calls in its whole life). A call spends of the key and of every
 * ancestor that has one, so that no number of children is worth more than their root. Counted one by one in the store: of racing
 * calls none gets more than there is.
 */
import { AppError } from '../errors.ts'
import type { Counted, Store } from '../storage/store.ts'
import type { KeyRecord } from './key.ts'

/** A key of the chain by its id. */
export interface Link {
  readonly id: string
  readonly record: KeyRecord
}

/** How the tightest quota stands, for the headers of an answer. */
export interface QuotaStanding {
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  readonly resetSeconds: number
}

export type Spent =
  | { readonly allowed: true; readonly quota?: QuotaStanding }
  | {
      readonly allowed: false
      readonly reason: 'quota_exceeded' | 'budget_spent'
      readonly quota?: QuotaStanding
      readonly retryAfterSeconds?: number
    }

/** What a key's own quota is called among the limits of an answer. */
export const KEY_QUOTA = 'key_quota'

interface SpentKey {
  readonly reason: string
  readonly quota?: QuotaStanding
  readonly retryAfterSeconds?: number
}

/** A key, or the key behind a token, has nothing left to spend. The policy is the one that refused, however the other limits stand. */
export function keySpent({ reason, quota, retryAfterSeconds = 1 }: SpentKey, errorRef: string): AppError {
  return new AppError('rate_limited', 'This key has used up what it may do for now.', {
    details: { retryAfterSeconds, policy: quota ? KEY_QUOTA : reason, errorRef, reason },
  })
}

export interface Allowance {
  /** Spends one call of everything the chain has. */
  spend(chain: readonly Link[]): Promise<Spent>
  /** What `spend` would answer; spends nothing. */
  look(chain: readonly Link[]): Promise<Spent>
}

interface Purse {
  readonly kind: 'quota' | 'budget'
  readonly counter: string
  readonly limit: number
  readonly windowSeconds: number
}

/** A budget's counter outlives the key: it must not begin anew. */
const BUDGET_MARGIN_SECONDS = 86_400

export function createAllowance({
  store,
  now,
}: {
  store: Pick<Store, 'increment' | 'count'>
  now: () => number
}): Allowance {
  const pass = async (chain: readonly Link[], count: (purse: Purse) => Promise<Counted>): Promise<Spent> => {
    const standings: QuotaStanding[] = []
    for (const purse of chain.flatMap((link) => pursesOf(link, now()))) {
      const { count: used, resetSeconds } = await count(purse)
      const standing = { ...purse, remaining: Math.max(0, purse.limit - used), resetSeconds }
      if (used > purse.limit) return refusal(standing)
      if (purse.kind === 'quota') standings.push(standingOf(standing))
    }
    const [tightest] = standings.sort((one, other) => one.remaining - other.remaining)
    return { allowed: true, ...(tightest ? { quota: tightest } : {}) }
  }

  return {
    spend: (chain) => pass(chain, (purse) => store.increment(purse.counter, purse.windowSeconds)),
    look: (chain) =>
      pass(chain, async (purse) => {
        const { count, ...rest } = await store.count(purse.counter)
        return { count: count + 1, ...rest }
      }),
  }
}

function pursesOf({ id, record }: Link, now: number): Purse[] {
  const { quota, callBudget, expiresAt } = record
  const life = Math.max(1, Math.ceil((expiresAt - now) / 1000)) + BUDGET_MARGIN_SECONDS
  return [
    ...(quota
      ? [
          {
            kind: 'quota' as const,
            counter: `key quota ${id}`,
            limit: quota.requests,
            windowSeconds: quota.windowSeconds,
          },
        ]
      : []),
    ...(callBudget === undefined
      ? []
      : [{ kind: 'budget' as const, counter: `key budget ${id}`, limit: callBudget, windowSeconds: life }]),
  ]
}

function standingOf({ limit, remaining, windowSeconds, resetSeconds }: QuotaStanding): QuotaStanding {
  return { limit, remaining, windowSeconds, resetSeconds }
}

function refusal(standing: Purse & QuotaStanding): Spent {
  const retryAfterSeconds = Math.max(1, standing.resetSeconds)
  // A budget is for the whole life: nothing comes back before the key has ended.
  if (standing.kind === 'budget') return { allowed: false, reason: 'budget_spent', retryAfterSeconds }
  return { allowed: false, reason: 'quota_exceeded', quota: standingOf(standing), retryAfterSeconds }
}
