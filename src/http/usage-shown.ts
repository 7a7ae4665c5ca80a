/**
 * Usage as pages show it: bars of a chart, the same figures as CSV, callers by the names people know. What was counted is asked of those who count.
 */
import { describeDevice } from './device.ts'
import type { KeyCallerRow, UsageBar, UsageShown } from './key-views.ts'

interface Counts {
  readonly ok: number
  readonly denied: number
  readonly limited: number
}

/** `at`: milliseconds since 1970, when the bucket began. */
interface Figures {
  readonly total: Counts
  readonly buckets: readonly (Counts & { readonly at: number })[]
}

interface Caller extends Omit<KeyCallerRow, 'agent' | 'moving'> {
  readonly userAgent: string
  readonly moving?: KeyCallerRow['moving']
}

const CALLERS_SHOWN = 20

export function usageShown({ total, buckets }: Figures, by: 'day' | 'hour', csvUrl: string): UsageShown {
  const tallest = Math.max(1, ...buckets.map(({ ok, denied, limited }) => ok + denied + limited))
  const height = (count: number) => Math.round((count / tallest) * 1000) / 10
  const bars = buckets.map(({ at, ok, denied, limited }): UsageBar => {
    return { at, ok, denied, limited, heights: { ok: height(ok), denied: height(denied), limited: height(limited) } }
  })
  return { by, total, bars, csvUrl }
}

/** The buckets as CSV: one line each, times as ISO 8601 in UTC. */
export function usageCsv({ buckets }: Pick<Figures, 'buckets'>): string {
  const lines = buckets.map(({ at, ok, denied, limited }) =>
    [new Date(at).toISOString(), ok, denied, limited].join(','),
  )
  return `${['at,ok,denied,limited', ...lines].join('\r\n')}\r\n`
}

/** The latest callers, and every one of an old secret: whoever still uses that must not be missing. */
export function callersShown(callers: readonly Caller[]): KeyCallerRow[] {
  return callers.filter(({ secret }, index) => secret === 'old' || index < CALLERS_SHOWN).map(callerShown)
}

function callerShown({ ip, userAgent, lastAt, calls, callsPerHour, secret, moving }: Caller): KeyCallerRow {
  return { ip, agent: agentShown(userAgent), lastAt, calls, callsPerHour, secret, ...(moving ? { moving } : {}) }
}

/** A browser by its name, a program by the first words it says of itself. */
export function agentShown(userAgent: string): string {
  const { browser, system } = describeDevice(userAgent)
  if (browser && system) return `${browser}, ${system}`
  return userAgent.slice(0, 60)
}
