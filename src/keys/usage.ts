/**
 * How much a key (or an app: any subject with an id) is used, and last by whom. Calls are counted in memory and written in batches, never
 * one write per request; a batch whose answer was lost is written again without counting twice. After `flush` the figures are exact.
 * Which calls count as what is decided by the caller; reading is `usage-report.ts`.
 */
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import {
  addCounts,
  CALLERS_LIMIT,
  type Call,
  type CallerTally,
  type Counts,
  callerKey,
  callerOf,
  DAY_MS,
  HOUR_MS,
  mergeCaller,
  none,
  startOf,
} from './tally.ts'
import { upsert } from './upsert.ts'
import {
  type LastUse,
  type NewPlace,
  newPlaces,
  type UsageDay,
  usageId,
  withCallers,
  withHours,
} from './usage-records.ts'

export interface Usage {
  /** Counts one call. Costs no store call. */
  count(subject: string, call: Call): void
  /** Writes what was counted; what cannot be written now is kept for the next time. Never throws. True when nothing is left. */
  flush(): Promise<boolean>
}

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  /** Called once for every network that a subject is used from for the first time, after that is written. */
  readonly onNewPlace?: (place: NewPlace) => Promise<void>
  /** Whether what was counted of a subject is written; absent: always. Asked before a batch is made. */
  readonly isKept?: (subject: string) => Promise<boolean>
  readonly onTrouble?: (error: unknown) => void
}

interface Pending {
  readonly hours: Map<number, Counts>
  readonly callers: Map<string, CallerTally>
  /** How many callers each secret has. */
  readonly perSecret: Map<string, number>
  last?: Call
}

/** A write that is due: it stays the same until it is known to have happened. */
interface Piece {
  readonly subject: string
  readonly write: () => Promise<void>
}

const KEPT_MS = 400 * DAY_MS
const AT_ONCE = 32

export function createUsage(dependencies: Dependencies): Usage {
  const mark = `p${randomId(8)}`
  let pending = new Map<string, Pending>()
  let due: Piece[] = []
  let number = 0
  let running: Promise<void> | undefined

  /** Takes what is pending, but for subjects whose earlier pieces are still due: batches of one entry stay in order. */
  const cut = (): Piece[] => {
    number += 1
    const batch = { mark, number }
    const stuck = new Set(due.map(({ subject }) => subject))
    const taken = [...pending].filter(([subject]) => !stuck.has(subject))
    pending = new Map([...pending].filter(([subject]) => stuck.has(subject)))
    return taken.flatMap(([subject, tally]) => piecesOf(dependencies, { subject, tally, batch }))
  }

  const dropUnkept = async ({ isKept }: Dependencies): Promise<void> => {
    if (!isKept) return
    for (const subject of [...pending.keys()]) if (!(await isKept(subject).catch(() => true))) pending.delete(subject)
  }

  const flushOnce = async (): Promise<void> => {
    due = await writeAll(due, dependencies)
    await dropUnkept(dependencies)
    due = [...due, ...(await writeAll(cut(), dependencies))]
  }

  return {
    count(subject, call) {
      const tally = pending.get(subject) ?? { hours: new Map(), callers: new Map(), perSecret: new Map() }
      pending.set(subject, tally)
      addCall(tally, call)
    },
    async flush() {
      // One at a time; who comes during one waits for the next, which has what was counted before.
      while (running) await running
      running = flushOnce().finally(() => {
        running = undefined
      })
      await running
      return due.length === 0
    },
  }
}

function addCall(tally: Pending, call: Call): void {
  const hour = startOf(call.at, HOUR_MS)
  tally.hours.set(hour, addCounts(tally.hours.get(hour) ?? none, { ...none, [call.outcome]: 1 }))
  if (call.outcome === 'denied') return
  if (call.outcome === 'ok') tally.last = call
  const caller = callerOf(call)
  if (!caller) return
  const key = callerKey(caller)
  const known = tally.callers.get(key)
  if (known) return void tally.callers.set(key, mergeCaller(known, caller))
  const { secret = '' } = caller
  const count = tally.perSecret.get(secret) ?? 0
  // A caller that changes its agent with every call must not fill the memory, nor hide who uses another secret.
  if (count >= 2 * CALLERS_LIMIT) return
  tally.perSecret.set(secret, count + 1)
  tally.callers.set(key, caller)
}

interface Cut {
  readonly subject: string
  readonly tally: Pending
  readonly batch: { mark: string; number: number }
}

function piecesOf(dependencies: Dependencies, { subject, tally, batch }: Cut): Piece[] {
  const { store } = dependencies
  const days = [...byDay(tally.hours)].map(([day, hours]): Piece => {
    const next = (known: UsageDay | undefined) => withHours(known, { subject, day, hours }, batch)
    const id = usageId(subject, day)
    return {
      subject,
      write: async () => void (await upsert(store, { kind: 'usage', id, next, expiresAt: day + KEPT_MS })),
    }
  })
  return tally.callers.size === 0 && !tally.last
    ? days
    : [...days, pieceOfCallers(dependencies, { subject, tally, batch })]
}

function pieceOfCallers({ store, now, onNewPlace }: Dependencies, { subject, tally, batch }: Cut): Piece {
  const callers = [...tally.callers.values()]
  const write = async () => {
    let before: readonly string[] = []
    const next = (known: LastUse | undefined) => {
      before = known?.places ?? []
      return withCallers(known, { callers, last: tally.last }, batch)
    }
    const written = await upsert(store, { kind: 'key_use', id: subject, next, expiresAt: now() + KEPT_MS })
    if (written && onNewPlace) for (const place of newPlaces(subject, callers, before)) await onNewPlace(place)
  }
  return { subject, write }
}

function byDay(hours: ReadonlyMap<number, Counts>): Map<number, Map<number, Counts>> {
  const days = new Map<number, Map<number, Counts>>()
  for (const [hour, counts] of hours) {
    const day = startOf(hour, DAY_MS)
    days.set(day, (days.get(day) ?? new Map<number, Counts>()).set(hour, counts))
  }
  return days
}

/** Writes a few at once; the pieces that failed. */
async function writeAll(pieces: readonly Piece[], { onTrouble }: Dependencies): Promise<Piece[]> {
  const failed: Piece[] = []
  const attempt = async (piece: Piece) => {
    try {
      await piece.write()
    } catch (error) {
      failed.push(piece)
      onTrouble?.(error)
    }
  }
  for (let from = 0; from < pieces.length; from += AT_ONCE) {
    await Promise.all(pieces.slice(from, from + AT_ONCE).map(attempt))
  }
  return failed
}
