/**
 * What is stored of usage, and how a batch is added to it. A batch carries the mark of its process and a number: adding it twice
 * changes nothing. When batches are made and written is decided in `usage.ts`.
 */
import { placeOf } from './networks.ts'
import { addCounts, type Call, type CallerTally, type Counts, mergeCallers, none } from './tally.ts'

/** The number of the last batch of each process. */
export type Batches = Readonly<Record<string, number>>

export interface Batch {
  readonly mark: string
  readonly number: number
}

/** The stored value of kind `usage`: one day (UTC) of one subject. `hours` has the hour, 0 to 23, as its name. */
export interface UsageDay {
  readonly subject: string
  readonly day: number
  readonly hours: Readonly<Record<string, Counts>>
  readonly batches: Batches
}

/** The stored value of kind `key_use`: who used the subject last. */
export interface LastUse {
  readonly lastAt?: number
  readonly ip?: string
  readonly userAgent?: string
  readonly callers: readonly CallerTally[]
  /** Networks it was used from, as `placeOf` names them. */
  readonly places: readonly string[]
  readonly batches: Batches
}

/** A network that a subject is used from for the first time. */
export interface NewPlace {
  readonly subject: string
  readonly place: string
  readonly caller: CallerTally
}

const PLACES_LIMIT = 100
const MARKS_LIMIT = 32

export function usageId(subject: string, day: number): string {
  return `${subject} ${new Date(day).toISOString().slice(0, 10)}`
}

/** The day with the batch's hours (by the moment they began); undefined when they are in it already. */
export function withHours(
  known: UsageDay | undefined,
  { subject, day, hours }: { subject: string; day: number; hours: ReadonlyMap<number, Counts> },
  batch: Batch,
): UsageDay | undefined {
  if (isDone(known, batch)) return undefined
  const sums = { ...known?.hours }
  for (const [hour, counts] of hours) {
    const name = String(new Date(hour).getUTCHours())
    sums[name] = addCounts(sums[name] ?? none, counts)
  }
  return { subject, day, hours: sums, batches: withBatch(known?.batches, batch) }
}

/** The last use with the batch's callers; undefined when they are in it already. */
export function withCallers(
  known: LastUse | undefined,
  { callers, last }: { callers: readonly CallerTally[]; last: Call | undefined },
  batch: Batch,
): LastUse | undefined {
  if (isDone(known, batch)) return undefined
  const isLater = last && last.at >= (known?.lastAt ?? 0)
  const places = [...new Set([...(known?.places ?? []), ...callers.flatMap(({ ip }) => placeOf(ip) ?? [])])]
  return {
    ...known,
    ...(isLater ? { lastAt: last.at, ip: last.ip ?? '', userAgent: (last.userAgent ?? '').slice(0, 256) } : {}),
    callers: mergeCallers(known?.callers ?? [], callers),
    places: places.slice(-PLACES_LIMIT),
    batches: withBatch(known?.batches, batch),
  }
}

/** When that secret was last used, in milliseconds since 1970. */
export function secretUsedAt(use: Pick<LastUse, 'callers'> | undefined, secret: string): number | undefined {
  const times = (use?.callers ?? []).filter((caller) => caller.secret === secret).map(({ lastAt }) => lastAt)
  return times.length === 0 ? undefined : Math.max(...times)
}

/** The networks of the callers that the subject was not used from before, each once. */
export function newPlaces(subject: string, callers: readonly CallerTally[], before: readonly string[]): NewPlace[] {
  const found = new Map<string, NewPlace>()
  for (const caller of callers) {
    const place = placeOf(caller.ip)
    if (place !== undefined && !before.includes(place) && !found.has(place))
      found.set(place, { subject, place, caller })
  }
  return [...found.values()]
}

function isDone(known: { readonly batches: Batches } | undefined, { mark, number }: Batch): boolean {
  return (known?.batches[mark] ?? 0) >= number
}

/** The marks of the processes that wrote last; one that falls out belongs to a process that wrote long ago. */
function withBatch(batches: Batches = {}, { mark, number }: Batch): Batches {
  const { [mark]: _mine, ...others } = batches
  return Object.fromEntries([...Object.entries(others).slice(1 - MARKS_LIMIT), [mark, number]])
}
