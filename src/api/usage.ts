/**
 * Usage over the API: of which period it is asked, and how it is shown. One shape for keys and apps.
 */
import { z } from 'zod'
import type { SecretCaller } from '../keys/callers.ts'
import type { Period, UsageReport } from '../keys/usage-report.ts'

/** A moment, or a day of UTC as the whole of it. */
const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()])

export const UsagePeriod = z.object({
  from: moment.optional(),
  to: moment.optional(),
  by: z.enum(['day', 'hour']).optional(),
})

export function periodOf({ from, to, by }: z.infer<typeof UsagePeriod>): Period {
  return {
    ...(from ? { from: Date.parse(from) } : {}),
    ...(to ? { to: endOf(to) } : {}),
    ...(by ? { by } : {}),
  }
}

const DAY_MS = 86_400_000

const endOf = (to: string): number => Date.parse(to) + (to.includes('T') ? 0 : DAY_MS - 1)

const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString()

export function shownUsage({ total, buckets, callers }: UsageReport & { callers: readonly SecretCaller[] }) {
  return {
    total,
    buckets: buckets.map(({ at, ...counts }) => ({ at: isoTime(at), ...counts })),
    callers: callers.map(({ ip, userAgent, firstAt, lastAt, calls, callsPerHour, secret, moving }) => ({
      ip,
      user_agent: userAgent,
      first_at: isoTime(firstAt),
      last_at: isoTime(lastAt),
      calls,
      calls_per_hour: callsPerHour,
      secret,
      moving: moving ?? null,
    })),
  }
}
