/**
 * What usage counts: calls by hour and outcome, and who called. Plain values and the arithmetic on them; when they are written is
 * decided in `usage.ts`.
 */

export type Outcome = 'ok' | 'denied' | 'limited'

export interface Counts {
  readonly ok: number
  readonly denied: number
  readonly limited: number
}

/** One call. `secret` says which secret of its subject was used, where there are several: the number of a key's, the id of an app's. */
export interface Call {
  readonly outcome: Outcome
  /** Milliseconds since 1970. */
  readonly at: number
  /** Absent: who called is not kept. */
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
  readonly secret?: string | undefined
}

/** Who called: an address with an agent and a secret. `hours` counts its calls of the last day by the hour they began in. */
export interface CallerTally {
  readonly ip: string
  readonly userAgent: string
  readonly secret?: string
  readonly firstAt: number
  readonly lastAt: number
  readonly calls: number
  readonly hours: Readonly<Record<string, number>>
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/**
 * The most callers that are remembered of one secret, and of one subject; the longest silent go first. Each secret has places of its own: however
 * many callers a new one has, those of the old one are not pushed out.
 */
export const CALLERS_LIMIT = 50
const SUBJECT_LIMIT = 3 * CALLERS_LIMIT

export const none: Counts = { ok: 0, denied: 0, limited: 0 }

export function addCounts(one: Counts, other: Counts): Counts {
  return { ok: one.ok + other.ok, denied: one.denied + other.denied, limited: one.limited + other.limited }
}

/** The moment the hour or day (UTC) began. */
export function startOf(at: number, lengthMs: number): number {
  return Math.floor(at / lengthMs) * lengthMs
}

/** A caller's name among those of its subject. */
export function callerKey({ ip, userAgent, secret = '' }: Pick<CallerTally, 'ip' | 'userAgent' | 'secret'>): string {
  return `${secret} ${ip} ${userAgent}`
}

/** The tally of one call; undefined when its caller is not kept. */
export function callerOf({ at, ip, userAgent = '', secret }: Call): CallerTally | undefined {
  if (ip === undefined) return undefined
  const which = secret === undefined ? {} : { secret }
  const hours = { [startOf(at, HOUR_MS)]: 1 }
  return { ip, userAgent: userAgent.slice(0, 256), ...which, firstAt: at, lastAt: at, calls: 1, hours }
}

/** Callers of both, those of one name put together, the latest first, bounded in number and in hours. */
export function mergeCallers(one: readonly CallerTally[], other: readonly CallerTally[]): CallerTally[] {
  const byKey = new Map<string, CallerTally>()
  for (const caller of [...one, ...other]) {
    const known = byKey.get(callerKey(caller))
    byKey.set(callerKey(caller), known ? mergeCaller(known, caller) : caller)
  }
  const bySecret = new Map<string, number>()
  const hasPlace = ({ secret = '' }: CallerTally): boolean => {
    const count = (bySecret.get(secret) ?? 0) + 1
    bySecret.set(secret, count)
    return count <= CALLERS_LIMIT
  }
  return [...byKey.values()]
    .sort((a, b) => b.lastAt - a.lastAt)
    .filter(hasPlace)
    .slice(0, SUBJECT_LIMIT)
}

export function mergeCaller(one: CallerTally, other: CallerTally): CallerTally {
  const lastAt = Math.max(one.lastAt, other.lastAt)
  const hours: Record<string, number> = {}
  for (const [hour, count] of [...Object.entries(one.hours), ...Object.entries(other.hours)]) {
    if (Number(hour) > lastAt - DAY_MS) hours[hour] = (hours[hour] ?? 0) + count
  }
  return { ...one, firstAt: Math.min(one.firstAt, other.firstAt), lastAt, calls: one.calls + other.calls, hours }
}

/** Calls per hour over the last day, or since the first call when that is less; one decimal. */
export function callsPerHour({ firstAt, hours }: CallerTally, now: number): number {
  const recent = Object.entries(hours).filter(([hour]) => Number(hour) > now - DAY_MS)
  const calls = recent.reduce((sum, [, count]) => sum + count, 0)
  const span = Math.max(1, Math.min(24, Math.ceil((now - firstAt) / HOUR_MS)))
  return Math.round((calls / span) * 10) / 10
}
