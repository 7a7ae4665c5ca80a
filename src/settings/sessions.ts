/**
 * Settings, sessions: every browser in which this account is signed in, and how to end one, all others, or everything.
 * Ending a session ends the access that apps got in it.
 *
 *   GET  /settings/sessions             the list, newest first
 *   POST /settings/sessions/:id/end     one of them
 *   POST /settings/sessions/end-others  all but this one
 *   POST /settings/sessions/end-all     everything, this browser too
 */
import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import { describeDevice } from '../http/device.ts'
import { get, type Handler, post, type Route } from '../http/route.ts'
import type { SessionRow } from '../http/settings-views.ts'
import { page } from '../http/views.ts'
import type { Audit } from '../observability/audit.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

/** One browser session. Times are milliseconds since 1970. */
interface SessionLine {
  readonly id: string
  readonly lastSeenAt: number
  readonly signedInAt: number
  readonly ip: string
  readonly userAgent: string
  /** Client ids of the apps it is signed in to. */
  readonly apps: readonly string[]
}

export interface SessionsOfAccount {
  list(
    accountId: string,
    options: { cursor?: string; limit?: number },
  ): Promise<{ items: readonly SessionLine[]; nextCursor?: string }>
  end(accountId: string, id: string): Promise<boolean>
  endOthers(accountId: string, keepId?: string): Promise<number>
  endAll(accountId: string): Promise<void>
}

interface SessionsParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly sessions: SessionsOfAccount
  readonly accounts: Pick<Accounts, 'signOutEverywhere'>
  readonly appName: (clientId: string) => Promise<string | undefined>
  readonly audit: Audit
}

const Shown = z.object({ cursor: z.string().max(500).optional(), ended: z.coerce.number().int().min(0).optional() })
const Nothing = z.object({})
const PAGE_SIZE = 20

export function createSessionsPage(parts: SessionsParts): readonly Route[] {
  const { access } = parts
  return [
    get('/settings/sessions').needs(access.signedIn).takes(Shown).does(list(parts)),
    post('/settings/sessions/end-others').needs(access.form).takes(Nothing).does(endOthers(parts)),
    post('/settings/sessions/end-all').needs(access.form).takes(Nothing).does(endAll(parts)),
    post('/settings/sessions/:id/end').needs(access.form).takes(Nothing).does(endOne(parts)),
  ]
}

function list({ sessions, appName, draw }: SessionsParts): Handler<z.infer<typeof Shown>, Person, unknown> {
  return async ({ caller, input }) => {
    const { items, nextCursor } = await sessions.list(caller.account.id, {
      limit: PAGE_SIZE,
      ...(input.cursor === undefined ? {} : { cursor: input.cursor }),
    })
    const rows = await Promise.all(
      items.map(async (line) => ({ ...rowOf(line, caller.sid), apps: await namesOf(line.apps, appName) })),
    )
    return draw('settings/sessions', caller, {
      rows: rows.sort((a, b) => Number(b.isHere) - Number(a.isHere)),
      isFirstPage: input.cursor === undefined,
      ...(input.ended === undefined ? {} : { ended: input.ended }),
      ...(nextCursor === undefined ? {} : { nextUrl: `/settings/sessions?cursor=${encodeURIComponent(nextCursor)}` }),
    })
  }
}

function rowOf({ id, lastSeenAt, signedInAt, ip, userAgent }: SessionLine, here: string): Omit<SessionRow, 'apps'> {
  return { id, lastSeenAt, signedInAt, ip, ...describeDevice(userAgent), isHere: id === here }
}

async function namesOf(clientIds: readonly string[], appName: SessionsParts['appName']): Promise<string[]> {
  return Promise.all(clientIds.map(async (clientId) => (await appName(clientId)) ?? clientId))
}

function endOne({ sessions, audit }: SessionsParts): Handler<object, Person, unknown> {
  return async ({ caller, params, request }) => {
    const id = params['id'] ?? ''
    const ended = await sessions.end(caller.account.id, id)
    // Somebody else's session is as unknown as none (OWASP API1).
    if (!ended) throw new AppError('not_found', 'There is no such session.')
    await note(audit, caller, request, { event: 'session.ended', subject: id })
    return { kind: 'redirect', location: id === caller.sid ? '/' : '/settings/sessions?ended=1' }
  }
}

function endOthers({ sessions, audit }: SessionsParts): Handler<object, Person, unknown> {
  return async ({ caller, request }) => {
    const count = await sessions.endOthers(caller.account.id, caller.sid)
    await note(audit, caller, request, { event: 'session.others_ended', details: { count } })
    return { kind: 'redirect', location: `/settings/sessions?ended=${count}` }
  }
}

function endAll({ sessions, accounts }: SessionsParts): Handler<object, Person, unknown> {
  return async ({ caller, request }) => {
    // The epoch first: from here on nothing of before is taken anywhere, whatever is still stored.
    await accounts.signOutEverywhere(callerOf(caller, request), caller.account.id)
    await sessions.endAll(caller.account.id)
    return page('interactions/signed-out', { returnUrl: '/settings' })
  }
}

function note(
  audit: Audit,
  caller: Person,
  request: { ip: string; userAgent: string; requestId: string },
  entry: { event: string; subject?: string; details?: { count: number } },
): Promise<void> {
  return audit.note(callerOf(caller, request), { outcome: 'done', accountId: caller.account.id, ...entry })
}
