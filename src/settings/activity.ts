/**
 * Settings, activity: the account's own audit trail, newest first, with filters and as CSV. Only the account's own records are ever read;
 * a record holds no secret, and what a form or an app chose is shown as text.
 *
 *   GET /settings/activity       the page: ?kind= ?outcome= ?cursor=
 *   GET /settings/activity.csv   the newest 10,000 records of the same filter
 */
import { z } from 'zod'
import { describeDevice } from '../http/device.ts'
import { get, type Route } from '../http/route.ts'
import type { ActivityKind, ActivityRow } from '../http/settings-views.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import type { Draw, SettingsAccess } from './shell.ts'

/** What a kind of activity is made of: the first word of an event. */
const KINDS: Readonly<Record<ActivityKind, readonly string[]>> = {
  sign_in: ['sign_in', 'session'],
  account: ['account', 'factor', 'passkey', 'totp', 'recovery_codes', 'recovery', 'email', 'password'],
  apps: ['consent', 'grant', 'app', 'agent', 'refresh_token', 'access_token', 'code'],
  keys: ['key', 'token', 'denial'],
}

const Filter = z.object({
  kind: z.enum(['sign_in', 'account', 'apps', 'keys']).optional().catch(undefined),
  outcome: z.enum(['done', 'refused', 'failed']).optional().catch(undefined),
  cursor: z.string().max(500).optional(),
})
type Filter = z.infer<typeof Filter>

const PAGE_SIZE = 25
const CSV_LIMIT = 10_000
/** Records looked at for one page: a rare kind in a long trail is found over several pages rather than in one long request. */
const LOOKED_AT = 1000

interface ActivityParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly store: Pick<Store, 'read'>
  readonly appName: AppName
}

type AppName = (clientId: string) => Promise<string | undefined>

export function createActivity({ access, draw, store, appName }: ActivityParts): readonly Route[] {
  return [
    get('/settings/activity')
      .needs(access.signedIn)
      .takes(Filter)
      .does(async ({ caller, input }) => {
        const { rows, nextCursor } = await find(store, caller.account.id, input)
        return draw('settings/activity', caller, {
          rows: await Promise.all(rows.map((row) => withName(row, appName))),
          kinds: Object.keys(KINDS) as ActivityKind[],
          csvUrl: `/settings/activity.csv${queryOf(input)}`,
          isFirstPage: input.cursor === undefined,
          ...(input.kind ? { kind: input.kind } : {}),
          ...(input.outcome ? { outcome: input.outcome } : {}),
          ...(nextCursor ? { nextUrl: `/settings/activity${queryOf(input, nextCursor)}` } : {}),
        })
      }),
    get('/settings/activity.csv')
      .needs(access.signedIn)
      .takes(Filter)
      .does(async ({ caller, input }) => ({
        kind: 'text',
        type: 'text/csv; charset=utf-8',
        body: await csv(store, caller.account.id, input),
        headers: { 'Content-Disposition': 'attachment; filename="activity.csv"' },
      })),
  ]
}

function queryOf({ kind, outcome }: Filter, cursor?: string): string {
  const query = new URLSearchParams({
    ...(kind ? { kind } : {}),
    ...(outcome ? { outcome } : {}),
    ...(cursor ? { cursor } : {}),
  })
  return query.size === 0 ? '' : `?${query}`
}

/** One page of what fits. Pages of the log are as long as pages shown, so that its cursor continues exactly behind the last row. */
async function find(store: ActivityParts['store'], accountId: string, filter: Filter) {
  const rows: ActivityRow[] = []
  let { cursor } = filter
  for (let looked = 0; looked < LOOKED_AT && rows.length < PAGE_SIZE; looked += PAGE_SIZE) {
    const log = await store.read(accountId, { limit: PAGE_SIZE - rows.length, ...(cursor ? { cursor } : {}) })
    rows.push(...log.items.map(rowOf).filter((row) => fits(row, filter)))
    cursor = log.nextCursor
    if (!cursor) break
  }
  return { rows, ...(cursor ? { nextCursor: cursor } : {}) }
}

const fits = ({ event, outcome }: ActivityRow, filter: Filter): boolean =>
  (!filter.kind || KINDS[filter.kind].includes(event.split('.', 1)[0] ?? '')) &&
  (!filter.outcome || outcome === filter.outcome)

interface Recorded {
  readonly event?: string
  readonly outcome?: ActivityRow['outcome']
  readonly reason?: string
  readonly subject?: string
  readonly caller?: {
    readonly kind?: string
    readonly actor?: string
    readonly ip?: string
    readonly userAgent?: string
  }
}

function rowOf({ at, record }: LogRecord): ActivityRow {
  const { event = '', outcome = 'done', reason, subject, caller } = record as Recorded
  // Where an operator sits is not the owner's to know.
  const from = caller?.kind === 'operator' ? undefined : caller
  return {
    at,
    event,
    outcome,
    ...(reason ? { reason } : {}),
    ...(subject ? { subject } : {}),
    ...(caller?.kind ? { by: caller.kind } : {}),
    ...agentOf(record as Recorded),
    ...(from?.ip ? { ip: from.ip } : {}),
    ...describeDevice(from?.userAgent ?? ''),
  }
}

/** The app that did it for the person: with a token of theirs, or by making itself one. Keys are no agents. */
function agentOf({ event = '', subject, caller }: Recorded): Pick<ActivityRow, 'agent'> {
  const agent = event.startsWith('agent.') ? subject : caller?.actor
  return agent === undefined || /^(?:api_key|personal_access_token):/.test(agent) ? {} : { agent }
}

async function withName(row: ActivityRow, appName: AppName): Promise<ActivityRow> {
  return row.agent === undefined ? row : { ...row, agent: (await appName(row.agent)) ?? row.agent }
}

const COLUMNS = ['at', 'event', 'outcome', 'reason', 'subject', 'by', 'agent', 'ip', 'browser', 'system'] as const

async function csv(store: ActivityParts['store'], accountId: string, filter: Filter): Promise<string> {
  const lines = [COLUMNS.join(',')]
  let cursor: string | undefined
  do {
    const log = await store.read(accountId, { limit: 500, ...(cursor ? { cursor } : {}) })
    const rows = log.items.map(rowOf).filter((row) => fits(row, filter))
    lines.push(...rows.map((row) => COLUMNS.map((column) => cell(column, row)).join(',')))
    cursor = log.nextCursor
  } while (cursor && lines.length <= CSV_LIMIT)
  return `${lines.slice(0, CSV_LIMIT + 1).join('\r\n')}\r\n`
}

/** Quoted (RFC 4180); what a spreadsheet would run as a formula gets an apostrophe in front (CWE-1236). */
function cell(column: (typeof COLUMNS)[number], row: ActivityRow): string {
  const value = column === 'at' ? new Date(row.at).toISOString() : (row[column] ?? '')
  const inert = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}
