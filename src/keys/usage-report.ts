/**
 * Reading usage: the calls of a subject by day or hour, and who called it last. What this process has counted is written before it is
 * read, so that an owner sees their own last call; other processes are at most one interval behind.
 */
import { AppError } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import { addCounts, type Counts, callsPerHour, DAY_MS, HOUR_MS, none, startOf } from './tally.ts'
import type { LastUse, UsageDay } from './usage-records.ts'

/** `at` is the moment a bucket began, in milliseconds since 1970; days are UTC. */
export interface Bucket extends Counts {
  readonly at: number
}

export interface UsageReport {
  readonly total: Counts
  /** Oldest first, without gaps. */
  readonly buckets: readonly Bucket[]
}

/** Milliseconds since 1970, both ends included; 30 days or 48 hours up to now when not given. */
export interface Period {
  readonly from?: number
  readonly to?: number
  readonly by?: 'day' | 'hour'
}

export interface LastCaller {
  readonly ip: string
  readonly userAgent: string
  readonly secret?: string
  readonly firstAt: number
  readonly lastAt: number
  readonly calls: number
  readonly callsPerHour: number
}

const BUCKETS_LIMIT = 750
const standard = { day: 29 * DAY_MS, hour: 47 * HOUR_MS } as const

/** @throws invalid_request for a period that is turned round or has more than 750 buckets. */
export async function reportUsage(
  { store, now }: { store: Store; now: () => number },
  subject: string,
  { by = 'day', to = now(), from = to - standard[by] }: Period,
): Promise<UsageReport> {
  const length = by === 'day' ? DAY_MS : HOUR_MS
  const [first, last] = [startOf(from, length), startOf(to, length)]
  if (!(first <= last && last - first < BUCKETS_LIMIT * length)) {
    throw new AppError(
      'invalid_request',
      `Give a period of at most ${BUCKETS_LIMIT} ${by}s that begins before it ends.`,
    )
  }
  const hours = await hoursOf(store, subject, { from: startOf(first, DAY_MS), to: last })
  const buckets: Bucket[] = []
  for (let at = first; at <= last; at += length) buckets.push({ at, ...sumOf(hours, at, length) })
  return { total: buckets.map(({ at: _at, ...counts }) => counts).reduce(addCounts, none), buckets }
}

/** The latest first. */
export function lastCallers({ callers }: LastUse, now: number): LastCaller[] {
  return callers.map((caller) => {
    const { hours: _hours, ...rest } = caller
    return { ...rest, callsPerHour: callsPerHour(caller, now) }
  })
}

async function hoursOf(store: Store, subject: string, { from, to }: { from: number; to: number }) {
  const hours = new Map<number, Counts>()
  let cursor: string | undefined
  do {
    const group = { group: 'subject', value: subject, limit: 1000 }
    const page = await store.list<UsageDay>('usage', { ...group, ...(cursor ? { cursor } : {}) })
    for (const { value } of page.items) {
      if (value.day < from || value.day > to) continue
      for (const [hour, counts] of Object.entries(value.hours)) hours.set(value.day + Number(hour) * HOUR_MS, counts)
    }
    cursor = page.nextCursor
  } while (cursor)
  return hours
}

function sumOf(hours: ReadonlyMap<number, Counts>, from: number, length: number): Counts {
  let sum = none
  for (let hour = from; hour < from + length; hour += HOUR_MS) sum = addCounts(sum, hours.get(hour) ?? none)
  return sum
}
