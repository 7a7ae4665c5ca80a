/**
 * An account's own audit trail with filters: what belongs to a kind of activity, and how a page or a file of it is read. Only the account's own records
 * are ever read. How a record is shown is the surface's.
 */
import type { LogPage, LogRecord, Store } from '../storage/store.ts'

/** Kind → first words of its events. */
const words = {
  sign_in: ['sign_in', 'session'],
  account: [
    'account',
    'factor',
    'factors',
    'passkey',
    'totp',
    'recovery_codes',
    'recovery',
    'email',
    'password',
    'sign_up',
  ],
  apps: ['consent', 'grant', 'app', 'agent', 'refresh_token', 'access_token', 'code'],
  keys: ['key', 'token', 'denial'],
} as const satisfies Record<string, readonly string[]>

export type ActivityKind = keyof typeof words
export const activityKinds = Object.keys(words) as ActivityKind[]
export const activityOutcomes = ['done', 'refused', 'failed'] as const

export interface ActivityFilter {
  readonly kind?: ActivityKind | undefined
  readonly outcome?: (typeof activityOutcomes)[number] | undefined
}

/** Reads for one page: a rare kind in a long trail is found over several pages rather than in one long request. */
const MOST_READS = 40
const LONGEST_FILE = 10_000

/** One page of what fits, newest first; it may hold fewer than `limit` and still go on. */
export async function readActivity(
  store: Pick<Store, 'read'>,
  accountId: string,
  { limit, cursor: from, ...filter }: ActivityFilter & { readonly limit: number; readonly cursor?: string | undefined },
): Promise<LogPage> {
  const items: LogRecord[] = []
  let cursor = from
  for (let reads = 0; reads < MOST_READS && items.length < limit; reads += 1) {
    // Pages of the log are as long as what is still wanted, so that its cursor continues exactly behind the last record.
    const log = await store.read(accountId, { limit: limit - items.length, ...(cursor ? { cursor } : {}) })
    items.push(...log.items.filter((entry) => fits(entry, filter)))
    cursor = log.nextCursor
    if (!cursor) break
  }
  return { items, ...(cursor ? { nextCursor: cursor } : {}) }
}

/** The newest 10,000 records of what fits, for a file. */
export async function readWholeActivity(
  store: Pick<Store, 'read'>,
  accountId: string,
  filter: ActivityFilter,
): Promise<readonly LogRecord[]> {
  const all: LogRecord[] = []
  let cursor: string | undefined
  do {
    const log = await store.read(accountId, { limit: 500, ...(cursor ? { cursor } : {}) })
    all.push(...log.items.filter((entry) => fits(entry, filter)))
    cursor = log.nextCursor
  } while (cursor && all.length < LONGEST_FILE)
  return all.slice(0, LONGEST_FILE)
}

function fits({ record }: LogRecord, { kind, outcome }: ActivityFilter): boolean {
  const { event = '', outcome: ended = 'done' } = record as { event?: string; outcome?: string }
  const first = event.split('.', 1)[0] ?? ''
  return (!kind || (words[kind] as readonly string[]).includes(first)) && (!outcome || ended === outcome)
}
