/**
 * Using a key: `check` decides, spends and counts; `explain` decides by the same rule and leaves no trace. A refusal says outside no more
 * than it must; its exact cause is stored for the owner. How an answer is put on the wire is left to `api/` and `oidc/`.
 */
import type { Allowance, Link, QuotaStanding, Spent } from './allowance.ts'
import {
  type Asked,
  type DecidedReason,
  type Decision,
  decide,
  denialReasons,
  type KeyPolicy,
  type Owner,
} from './decide.ts'
import type { Denials } from './denials.ts'
import { credentialName, type Key, type KeyId, type KeyRecord, toKey } from './key.ts'
import type { Known, Look } from './look.ts'
import type { Outcome } from './tally.ts'
import type { Usage } from './usage.ts'

/** How a request stands under a limit of the surface that asks. */
export interface LimitStanding {
  readonly policy: string
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  readonly resetSeconds: number
}

export interface CheckRequest extends Asked {
  readonly userAgent: string
  /** Method and path, for the owner. */
  readonly request?: string
  /** Counts the call under the surface's own limit, once the key is good here, whether its scopes are enough or not. */
  readonly limit?: (key: Key) => Promise<LimitStanding | undefined>
}

export type DenialReason = DecidedReason | 'malformed' | 'unknown' | 'quota_exceeded' | 'budget_spent' | 'rate_limited'

export interface Allowed {
  readonly allowed: true
  readonly key: Key
  readonly owner: Owner
  /** What it may do here and now. */
  readonly scopes: readonly string[]
  /** `api_key:<id>` or `personal_access_token:<id>`. */
  readonly credential: string
  /** Set when the old secret of a rotation was used: for `Deprecation` and `Sunset`, in milliseconds since 1970. */
  readonly old?: { readonly deprecatedAt: number; readonly sunsetAt: number }
  readonly quota?: QuotaStanding
  readonly limit?: LimitStanding
}

export interface Denied {
  readonly allowed: false
  /** For the log and the owner, never for the wire. */
  readonly reason: DenialReason
  /** All that the wire may tell. */
  readonly outside: 'invalid_token' | 'insufficient_scope' | 'rate_limited'
  readonly errorRef: string
  /** The key and its owner where the secret was right. The caller has proven nothing more: do not tell what they hold. */
  readonly key?: Key
  readonly owner?: Owner
  /** For `insufficient_scope`: what would be needed. */
  readonly needed?: readonly string[]
  /** The one scope that the owner may lift this token to. */
  readonly elevation?: string
  readonly retryAfterSeconds?: number
  readonly quota?: QuotaStanding
  readonly limit?: LimitStanding
}

export type Verdict = Allowed | Denied

/** What `explain` tells: what `check` would answer. */
export type Explanation =
  | { readonly allowed: true; readonly scopes: readonly string[]; readonly key: Key; readonly owner: Owner }
  | {
      readonly allowed: false
      readonly reason: DenialReason
      readonly key?: Key
      readonly owner?: Owner
      /** What it may do, where nothing but its quota or budget stands against it. */
      readonly scopes?: readonly string[]
    }

export interface Checking {
  check(credential: string, request: CheckRequest): Promise<Verdict>
  explain(credential: string, asked: Asked): Promise<Explanation>
  /** Whether what was made from the key still counts: the key, its ancestors and its owner are alive. From where it is used does not matter. */
  stands(id: string): Promise<boolean>
  /**
   * Spends one call of the key and its ancestors, for a call with a token that was made from it: exchanging a key must not stretch its quota or budget.
   * Costs no store call where there is neither.
   */
  spend(id: string): Promise<Spent>
  /** What `spend` would answer; spends nothing. */
  lookAtSpending(id: string): Promise<Spent>
}

interface Dependencies {
  readonly look: Look
  readonly policy: KeyPolicy
  readonly allowance: Allowance
  readonly denials: Denials
  readonly usage: Pick<Usage, 'count'>
  readonly now: () => number
}

type Refusal = Omit<Denied, 'allowed' | 'outside' | 'errorRef' | 'key' | 'owner'> & { readonly detail?: string }

export function createChecking(dependencies: Dependencies): Checking {
  const { look, policy, allowance, denials, usage, now } = dependencies
  const count = (known: Known, outcome: Outcome, { ip, userAgent }: CheckRequest) =>
    usage.count(known.id, { outcome, at: now(), ip, userAgent, secret: String(known.secretNumber) })

  const refuse = async (known: Known, request: CheckRequest, { detail, ...refusal }: Refusal): Promise<Denied> => {
    const { reason } = refusal
    const key = toKey({ id: known.id, value: known.key }, now())
    const outside = outsideOf(reason)
    count(known, outside === 'rate_limited' ? 'limited' : 'denied', request)
    const { ip, userAgent, request: line } = request
    const errorRef = await denials.note({
      ownerId: known.key.ownerId,
      credential: credentialName(key),
      reason,
      ...(detail === undefined ? {} : { detail }),
      at: now(),
      ip,
      userAgent,
      ...(line === undefined ? {} : { request: line }),
    })
    const needed = outside === 'insufficient_scope' && request.scopes ? { needed: request.scopes } : {}
    return { allowed: false, outside, errorRef, key, ...ownerOf(known), ...needed, ...refusal }
  }

  return {
    async check(credential: string, request: CheckRequest): Promise<Verdict> {
      const known = await look.find(credential)
      if (!known.known) {
        return { allowed: false, reason: known.reason, outside: 'invalid_token', errorRef: denials.newRef() }
      }
      const decision = decide(known, request, policy, now())
      if (!decision.allowed && outsideOf(decision.reason) === 'invalid_token')
        return refuse(known, request, refusalOf(decision))
      const key = toKey({ id: known.id, value: known.key }, now())
      const limit = await request.limit?.(key)
      if (limit && !limit.allowed) {
        return refuse(known, request, { reason: 'rate_limited', retryAfterSeconds: limit.resetSeconds, limit })
      }
      if (!decision.allowed) return refuse(known, request, { ...refusalOf(decision), ...given(limit) })
      const { allowed: isAffordable, ...spent } = await allowance.spend(chainOf(known))
      if (!isAffordable) return refuse(known, request, { ...(spent as Refusal), ...given(limit) })
      count(known, 'ok', request)
      return { ...allowedFor(known, key, decision.scopes), ...spent, ...given(limit) }
    },
    async explain(credential, asked) {
      const known = await look.find(credential)
      if (!known.known) return { allowed: false, reason: known.reason }
      const key = toKey({ id: known.id, value: known.key }, now())
      const decision = decide(known, asked, policy, now())
      if (!decision.allowed) return { allowed: false, reason: decision.reason, key, ...ownerOf(known) }
      const { owner, scopes } = allowedFor(known, key, decision.scopes)
      const spent = await allowance.look(chainOf(known))
      if (!spent.allowed) return { allowed: false, reason: spent.reason, key, owner, scopes }
      return { allowed: true, scopes, key, owner }
    },
    async spend(id) {
      const known = await look.findById(id as KeyId)
      return known ? allowance.spend(chainOf(known)) : { allowed: true }
    },
    async lookAtSpending(id) {
      const known = await look.findById(id as KeyId)
      return known ? allowance.look(chainOf(known)) : { allowed: true }
    },
    async stands(id) {
      const known = await look.findById(id as KeyId)
      if (!known) return false
      const { key, ancestors } = known
      const anywhere = { ...known, key: fromAnywhere(key), ancestors: ancestors.map((one) => one && fromAnywhere(one)) }
      return decide(anywhere, { ip: '' }, policy, now()).allowed
    },
  }
}

function allowedFor(known: Known, key: Key, scopes: readonly string[]): Allowed {
  const { owner, use } = known
  const { old } = known.key
  if (!owner) throw new TypeError('a key without an owner was allowed')
  return {
    allowed: true,
    key,
    owner,
    scopes,
    credential: credentialName(key),
    ...(use === 'old' && old ? { old: { deprecatedAt: old.replacedAt, sunsetAt: old.endsAt } } : {}),
  }
}

const fromAnywhere = (record: KeyRecord): KeyRecord => ({ ...record, allowedIps: [] })

/** When what was allowed ends by itself, in milliseconds since 1970: nothing that is made from it may live longer. */
export function endOf({ key, old, scopes }: Pick<Allowed, 'key' | 'old' | 'scopes'>): number {
  const { elevation } = key
  const isLifted = elevation && scopes.includes(elevation.scope) && !key.scopes.includes(elevation.scope)
  return Math.min(key.expiresAt, old?.sunsetAt ?? key.expiresAt, isLifted ? elevation.until : key.expiresAt)
}

/** The key and its ancestors: all of them pay for a call. */
function chainOf({ id, key, ancestors }: Known): Link[] {
  const above = ancestors.flatMap((record, index): Link[] => {
    const ancestor = key.ancestors[index]
    return record && ancestor !== undefined ? [{ id: ancestor, record }] : []
  })
  return [{ id, record: key }, ...above]
}

function refusalOf({ reason, detail, elevation }: Extract<Decision, { allowed: false }>): Refusal {
  return {
    reason,
    ...(detail === undefined ? {} : { detail }),
    ...(elevation === undefined ? {} : { elevation }),
  }
}

function outsideOf(reason: DenialReason): Denied['outside'] {
  if (Object.hasOwn(denialReasons, reason)) return denialReasons[reason as DecidedReason]
  return reason === 'malformed' || reason === 'unknown' ? 'invalid_token' : 'rate_limited'
}

const ownerOf = ({ owner }: Known) => (owner ? { owner } : {})
const given = (limit: LimitStanding | undefined) => (limit === undefined ? {} : { limit })
