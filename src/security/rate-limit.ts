/**
 * Named limits, counted in the store so that every process shares them. Small limits are counted one by one and are exact; of large
 * ones a process reserves up to 5 % at once, so that not every request is a round trip, and never more than the limit is admitted.
 * What is limited by what is decided where the request is understood; this file only counts, refuses and says so.
 */
import { AppError } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { createReservations, type Taken, type Wanted } from './reservations.ts'

/** `null` or `off`: not limited. */
export type Limit = { readonly limit: number; readonly windowSeconds: number } | 'off' | null

/**
 * What a policy does while the store cannot count. `closed`: refuse with 503, for everything that could be guessed or piled up.
 * `local`: every process counts for itself, for what must go on. `open`: admit, for public metadata served from memory.
 */
export type StoreFailure = 'closed' | 'local' | 'open'

/** The policies of configuration and their behaviour without a store (RL4). A policy that is not named here is `closed`. */
export const whenStoreFails: Readonly<Record<string, StoreFailure>> = {
  sign_in_address: 'closed',
  sign_in_account: 'closed',
  registration_address: 'closed',
  client_secret: 'closed',
  device_address: 'closed',
  leak_address: 'closed',
  domain_proof: 'closed',
  token_client: 'local',
  authorize_address: 'local',
  api_credential: 'local',
  api_account: 'local',
  metadata_address: 'open',
}

/** How one request stands. */
export interface Standing {
  readonly policy: string
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  readonly resetSeconds: number
}

export interface RateLimiter<P extends string = string> {
  /** Counts one and says how the key stands; undefined when the policy is off. Throws `store_unavailable` where the policy fails closed. */
  take(policy: P, key: string): Promise<Standing | undefined>
  /** How the key stands, without counting. A store that does not answer leaves everything there is. */
  look(policy: P, key: string): Promise<Standing | undefined>
  /** Counts one and throws `rate_limited` (429 with `Retry-After`, the policy's name and the headers) beyond the limit. */
  enforce(policy: P, key: string): Promise<Standing | undefined>
  /** As `enforce` for an address: IPv6 by /64, and its /48 with 16 times the limit. */
  enforceAddress(policy: P, address: string): Promise<Standing | undefined>
  /**
   * Takes back one `take` of a policy that counts failures only: the attempt is counted before it is judged, so that parallel guesses
   * cannot all pass, and given back when it was right.
   */
  giveBack(policy: P, key: string): Promise<void>
}

export interface RateLimiterOptions<P extends string> {
  readonly store: Pick<Store, 'increment' | 'count'>
  readonly policies: Readonly<Record<P, Limit>>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Narrow and wide network of an address, as `limitKeys` of `network.ts` gives them. */
  readonly addressKeys: (address: string) => { readonly narrow: string; readonly wide?: string }
  readonly onRefused?: (policy: string) => void
}

const WIDE_FACTOR = 16
/** From here on 5 % are at least ten requests, and a reservation is worth its imprecision. */
const RESERVE_FROM = 200
const RESERVED_SHARE = 0.05
const STORE_REST_MS = 1_000

export function createRateLimiter<P extends string>(options: RateLimiterOptions<P>): RateLimiter<P> {
  const { store, policies, now, addressKeys, onRefused } = options
  const reservations = createReservations({ store, now })
  const locally = createReservations({ store: createLocalCounters(now), now })
  let storeRestsUntil = 0

  const count = async (policy: P, key: string, factor: number): Promise<Standing | undefined> => {
    const rule = policies[policy]
    if (rule === 'off' || rule === null || rule === undefined) return undefined
    const limit = rule.limit * factor
    const share = limit >= RESERVE_FROM ? Math.floor(limit * RESERVED_SHARE) : 1
    const wanted = { counter: counterOf(policy, key), limit, windowSeconds: rule.windowSeconds, share }
    const { allowed, remaining, resetSeconds } = await orWithoutStore(policy, wanted)
    return { policy, allowed, limit, remaining, windowSeconds: rule.windowSeconds, resetSeconds }
  }

  const orWithoutStore = async (policy: P, wanted: Wanted): Promise<Taken> => {
    const failure = whenStoreFails[policy] ?? 'closed'
    try {
      if (failure === 'closed' || now() >= storeRestsUntil) return await reservations.take(wanted)
    } catch (error) {
      if (failure === 'closed') throw error
      // The next requests do not wait for a store that has just failed.
      storeRestsUntil = now() + STORE_REST_MS
    }
    if (failure === 'local') return locally.take({ ...wanted, share: 1 })
    return { allowed: true, remaining: wanted.limit, resetSeconds: wanted.windowSeconds }
  }

  const refuseBeyond = (standing: Standing | undefined): Standing | undefined => {
    if (!standing || standing.allowed) return standing
    onRefused?.(standing.policy)
    throw refusal(standing)
  }

  return {
    take: (policy, key) => count(policy, key, 1),
    async look(policy, key) {
      const rule = policies[policy]
      if (rule === 'off' || rule === null || rule === undefined) return undefined
      const { limit, windowSeconds } = rule
      const counted = await store.count(counterOf(policy, key)).catch(() => ({ count: 0, resetSeconds: 0 }))
      // What was reserved here is counted already, and is there to be spent.
      const held = reservations.held(counterOf(policy, key))
      const remaining = Math.min(limit, Math.max(0, limit - counted.count) + held)
      const resetSeconds = counted.count === 0 ? windowSeconds : counted.resetSeconds
      return { policy, allowed: remaining > 0, limit, remaining, windowSeconds, resetSeconds }
    },
    enforce: async (policy, key) => refuseBeyond(await count(policy, key, 1)),
    async enforceAddress(policy, address) {
      const { narrow, wide } = addressKeys(address)
      if (wide !== undefined) refuseBeyond(await count(policy, wide, WIDE_FACTOR))
      return refuseBeyond(await count(policy, narrow, 1))
    },
    async giveBack(policy, key) {
      const rule = policies[policy]
      if (rule === 'off' || rule === null || rule === undefined) return
      await store.increment(counterOf(policy, key), rule.windowSeconds, -1)
    },
  }
}

/** The headers that tell how a caller stands (draft-ietf-httpapi-ratelimit-headers-10, and the older X- names with seconds to go). */
export function rateLimitHeaders(standing: Standing): Record<string, string> {
  const { policy, limit, remaining, windowSeconds, resetSeconds } = standing
  return {
    'RateLimit-Policy': `"${policy}";q=${limit};w=${windowSeconds}`,
    RateLimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(resetSeconds),
  }
}

function refusal(standing: Standing): AppError {
  const retryAfterSeconds = Math.max(1, standing.resetSeconds)
  return new AppError('rate_limited', `Too many requests. Try again in ${retryAfterSeconds} seconds.`, {
    details: { retryAfterSeconds, policy: standing.policy, headers: rateLimitHeaders(standing) },
  })
}

/** Keys come from outside (a client id, an address of a mailbox): long ones are digested, so that a counter's name stays short. */
function counterOf(policy: string, key: string): string {
  return `rate ${policy} ${key.length > 64 || key.includes('@') ? digest('rate limit', key) : key}`
}

/** Counters of this process alone, for policies that go on without a store. At most 10,000; the oldest are forgotten first. */
function createLocalCounters(now: () => number): Pick<Store, 'increment'> {
  const counters = new Map<string, { count: number; endsAt: number }>()
  return {
    async increment(counter, windowSeconds, by = 1) {
      const known = counters.get(counter)
      const living = known && known.endsAt > now() ? known : { count: 0, endsAt: now() + windowSeconds * 1000 }
      living.count += by
      counters.set(counter, living)
      if (counters.size > 10_000) for (const oldest of counters.keys()) if (counters.delete(oldest)) break
      return { count: living.count, resetSeconds: Math.ceil((living.endsAt - now()) / 1000) }
    },
  }
}
