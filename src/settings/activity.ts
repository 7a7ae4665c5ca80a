/**
 * Settings, activity: the account's own audit trail, newest first, with filters and as CSV. Only the account's own records are ever read;
 * a record holds no secret, and what a form or an app chose is shown as text.
 *
 *   GET /settings/activity       the page: ?kind= ?outcome= ?cursor=
 *   GET /settings/activity.csv   the newest 10,000 records of the same filter
 */
import { z } from 'zod'
import { activityKinds, activityOutcomes, readActivity, readWholeActivity } from '../accounts/activity.ts'
import { describeDevice } from '../http/device.ts'
import { get, type Route } from '../http/route.ts'
import type { ActivityRow } from '../http/settings-views.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import type { Draw, SettingsAccess } from './shell.ts'

const Filter = z.object({
  kind: z.enum(activityKinds).optional().catch(undefined),
  outcome: z.enum(activityOutcomes).optional().catch(undefined),
  cursor: z.string().max(500).optional(),
})
type Filter = z.infer<typeof Filter>

const PAGE_SIZE = 25

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
        const { items, nextCursor } = await readActivity(store, caller.account.id, { ...input, limit: PAGE_SIZE })
        return draw('settings/activity', caller, {
          rows: await Promise.all(items.map((entry) => withName(rowOf(entry), appName))),
          kinds: activityKinds,
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
        body: csv((await readWholeActivity(store, caller.account.id, input)).map(rowOf)),
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

function csv(rows: readonly ActivityRow[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => cell(column, row)).join(','))
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`
}

/** Quoted (RFC 4180); what a spreadsheet would run as a formula gets an apostrophe in front (CWE-1236). */
function cell(column: (typeof COLUMNS)[number], row: ActivityRow): string {
  const value = column === 'at' ? new Date(row.at).toISOString() : (row[column] ?? '')
  const inert = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}
