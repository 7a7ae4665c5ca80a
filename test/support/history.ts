/**
 * The history of a load: every operation with what it was about, when it began and ended, and how. Afterwards the rules are checked over the
 * whole of it (threats.md, fault experiments: I1–I5): what was acknowledged stands, what was used up or ended stays so, nothing that may
 * happen once happened twice, nothing failed once the fault was over. What the operations are is for whoever drives the load.
 */
import { createHash } from 'node:crypto'
import { eventually } from './ports.ts'

/** `unknown`: no answer, or a 5xx. The operation may have happened. */
type Outcome = 'done' | 'refused' | 'unknown'

export interface About {
  readonly act: string
  /** What is used up or changed: a code, a refresh token, an assertion, an account. */
  readonly object: string
  /** What ends together: everything that came of one code. */
  readonly family?: string
  /** It uses `object` up: it may work once. */
  readonly isOnce?: boolean
  /** It must not be refused: the caller has a right to it, as far as the history tells. */
  readonly honest?: boolean
  /** The audit holds one entry for it: the event and whose log; what the answer gave, when that is an account's id. */
  readonly audited?: { readonly event: string; readonly accountId?: string }
  /** Made of several requests, so that its length says nothing. */
  readonly isJourney?: boolean
}

export interface Operation extends About {
  readonly id: number
  /** `performance.now()`. */
  readonly startedAt: number
  readonly endedAt: number
  readonly outcome: Outcome
  /** 0 when no answer came. */
  readonly status: number
  /** What the answer handed out. */
  readonly gave: string | undefined
  readonly why: string | undefined
}

/** One broken rule and the operation that was acknowledged in vain. */
export interface Violation {
  readonly rule: string
  readonly cause: Operation
  readonly text: string
}

export interface History {
  readonly operations: readonly Operation[]
  /** Runs one attempt and notes it. An attempt that throws got no answer. */
  attempt<T extends { readonly status: number }>(
    about: About,
    send: () => Promise<T>,
    gave?: (answer: T) => string | undefined,
  ): Promise<{ operation: Operation; answer: T | undefined }>
}

/** Nobody waits longer for an answer: it then counts as a hang. A journey is as long as its requests. */
const HANG_MS = 10_000
const JOURNEY_MS = 60_000

export function createHistory(): History {
  const operations: Operation[] = []
  let next = 1
  return {
    operations,
    async attempt(about, send, gave = () => undefined) {
      const id = next++
      const startedAt = performance.now()
      const tried = await answered(send(), about.isJourney ? JOURNEY_MS : HANG_MS)
      const answer = 'answer' in tried ? tried.answer : undefined
      const operation: Operation = {
        ...about,
        id,
        startedAt,
        endedAt: performance.now(),
        status: answer?.status ?? 0,
        outcome: outcomeOf(answer?.status ?? 0),
        gave: answer && outcomeOf(answer.status) === 'done' ? gave(answer) : undefined,
        why: 'why' in tried ? tried.why : undefined,
      }
      operations.push(operation)
      return { operation, answer }
    },
  }
}

async function answered<T>(sent: Promise<T>, withinMs: number): Promise<{ answer: T } | { why: string }> {
  let timer: NodeJS.Timeout | undefined
  const hang = new Promise<{ why: string }>((resolve) => {
    timer = setTimeout(() => resolve({ why: `no answer in ${withinMs} ms` }), withinMs)
  })
  const answer = sent.then(
    (value) => ({ answer: value }),
    (error: unknown) => ({ why: String(error) }),
  )
  return Promise.race([answer, hang]).finally(() => clearTimeout(timer))
}

function outcomeOf(status: number): Outcome {
  if (status === 0 || status >= 500) return 'unknown'
  return status < 400 ? 'done' : 'refused'
}

/** I3: whatever was used up gave one result, however often it was tried. */
export function usedTwice(history: History): Violation[] {
  const won = new Map<string, Operation[]>()
  for (const operation of history.operations) {
    if (!operation.isOnce || operation.outcome !== 'done') continue
    const key = `${operation.act} ${operation.object}`
    won.set(key, [...(won.get(key) ?? []), operation])
  }
  return [...won.values()]
    .filter((winners) => new Set(winners.map(({ gave }) => gave)).size > 1)
    .map(([cause, ...others]) => violation('I3', cause as Operation, `won again by ${others.map(({ id }) => id)}`))
}

/** I2 while the load ran: nothing of a family worked in a request that began after `revoke` had been acknowledged. */
export function usedAfterEnd(history: History): Violation[] {
  const ends = history.operations.filter(({ act, outcome }) => act === 'revoke' && outcome === 'done')
  return ends.flatMap((end) =>
    history.operations
      .filter(({ family, act, outcome }) => family === end.family && act !== 'revoke' && outcome === 'done')
      .filter(({ startedAt }) => startedAt > end.endedAt)
      .map((use) => violation('I2', end, `${use.act} ${use.id} worked afterwards`)),
  )
}

/** I1 while the load ran: who had a right to something was not refused. The cause is what had given it. */
export function refusedWrongly(history: History): Violation[] {
  const givers = new Map(
    history.operations.flatMap((one) => (one.gave === undefined ? [] : [[one.gave, one] as const])),
  )
  return history.operations
    .filter(({ honest, outcome }) => honest && outcome === 'refused')
    .map((one) => violation('I1', givers.get(one.object) ?? one, `${one.act} ${one.id} got ${one.status}`))
}

/** I4: operations without a proper answer that began later than `graceMs` after `recoveredAt`. */
export function failedLate(history: History, recoveredAt: number, graceMs = 5000): Violation[] {
  return history.operations
    .filter(({ outcome, startedAt }) => outcome === 'unknown' && startedAt > recoveredAt + graceMs)
    .map((one) =>
      violation('I4', one, `${one.status} ${one.why ?? ''} ${Math.round(one.startedAt - recoveredAt)} ms after`),
    )
}

/** Requests that took longer than `limitMs`, hangs among them. */
export function slowerThan(history: History, limitMs: number): Violation[] {
  return history.operations
    .filter(({ isJourney, startedAt, endedAt }) => !isJourney && endedAt - startedAt > limitMs)
    .map((one) => violation('slow', one, `${Math.round(one.endedAt - one.startedAt)} ms, ${one.status}`))
}

/** Tokens that must work: given, never shown again, and nothing has ended their family. With the operation that gave them. */
export function mustLive(history: History): Operation[] {
  const shown = new Set(history.operations.filter(({ act }) => act !== 'revoke').map(({ object }) => object))
  const ended = new Set(history.operations.filter(({ act }) => act === 'revoke').map(({ family }) => family))
  return history.operations.filter(
    ({ gave, family }) => gave !== undefined && family !== undefined && !shown.has(gave) && !ended.has(family),
  )
}

/** Families whose end was acknowledged, by the operation that ended them. */
export function mustBeDead(history: History): Operation[] {
  return history.operations.filter(({ act, outcome }) => act === 'revoke' && outcome === 'done')
}

export interface AuditSource {
  read(
    accountId: string,
    options: { cursor?: string; limit: number },
  ): Promise<{
    items: readonly { readonly record: Readonly<Record<string, unknown>> }[]
    nextCursor?: string
  }>
}

/** I5: per log and event as many entries as acknowledged operations, and at most as many more as ended without an answer. */
export async function misaudited(history: History, source: AuditSource): Promise<Violation[]> {
  const groups = new Map<string, Operation[]>()
  for (const operation of history.operations) {
    const accountId = operation.audited?.accountId ?? operation.gave
    if (!operation.audited || !accountId) continue
    const key = `${accountId}\n${operation.audited.event}`
    groups.set(key, [...(groups.get(key) ?? []), operation])
  }
  const checked = [...groups].map(async ([key, operations]) => {
    const [accountId = '', event = ''] = key.split('\n')
    const entries = await countEntries(source, accountId, event)
    const least = operations.filter(({ outcome }) => outcome === 'done').length
    const most = operations.filter(({ outcome }) => outcome !== 'refused').length
    const cause = operations.findLast(({ outcome }) => outcome === 'done') ?? operations[0]
    const text = `${entries} entries of ${event} for ${least} acknowledged and ${most - least} unknown`
    return entries >= least && entries <= most ? [] : [violation('I5', cause as Operation, text)]
  })
  return (await Promise.all(checked)).flat()
}

async function countEntries(source: AuditSource, accountId: string, event: string): Promise<number> {
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const at = cursor
    const page = await eventually('the audit can be read', () =>
      source.read(accountId, { limit: 500, ...(at ? { cursor: at } : {}) }),
    )
    count += page.items.filter(({ record }) => record['event'] === event && record['outcome'] === 'done').length
    if (page.nextCursor === undefined) return count
    cursor = page.nextCursor
  }
}

/** A violation in words. Tokens stand as short digests: a failing test must not print them. */
export function violation(rule: string, cause: Operation, text: string): Violation {
  const object = createHash('sha256').update(cause.object).digest('hex').slice(0, 8)
  return { rule, cause, text: `${rule}: ${cause.act} ${cause.id} of ${object} (${cause.outcome}): ${text}` }
}
