/**
 * The browser sessions of an account: which there are, and how to end one, all others, or everything. Whoever ends a session ends what was obtained
 * in it.
 */
import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import { del, get, type Route } from '../http/route.ts'
import type { Audit } from '../observability/audit.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { isoTime, type Listed, listed, ownerOf, Page, type Paging, paging } from './own.ts'
import { pageOf, Session as SessionShape } from './shapes.ts'

interface Session {
  readonly id: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly signedInAt: number
  readonly ip: string
  readonly userAgent: string
  readonly expiresAt?: number
  readonly apps: readonly string[]
}

export interface SessionParts {
  readonly credentials: Credentials
  readonly sessions: {
    list(accountId: string, paging: Paging): Listed<Session>
    find(accountId: string, id: string): Promise<Session | undefined>
    end(accountId: string, id: string): Promise<boolean>
    endOthers(accountId: string, keepId?: string): Promise<number>
    endAll(accountId: string): Promise<void>
  }
  readonly accounts: Pick<Accounts, 'signOutEverywhere'>
  readonly audit: Pick<Audit, 'note'>
}

const Ending = z.object({ everywhere: z.enum(['true', 'false']).default('false') })

export function createSessionRoutes(parts: SessionParts): readonly Route[] {
  const { credentials, sessions } = parts
  const read = credentials.bearer('api:read')
  const write = credentials.bearer('api:write')
  return [
    get('/api/v1/sessions')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(SessionShape))
      .says('Your browser sessions, newest first.')
      .does(async ({ caller, input }) => {
        const page = await sessions.list(ownerOf(caller), paging(input))
        return listed(page, (session) => shownSession(session, caller.sid))
      }),
    get('/api/v1/sessions/:id')
      .needs(read)
      .gives(200, SessionShape)
      .says('One of your browser sessions.')
      .does(async ({ caller, params }) => {
        const session = await sessions.find(ownerOf(caller), params['id'] ?? '')
        if (!session) throw noSession()
        return { kind: 'json', body: shownSession(session, caller.sid) }
      }),
    del('/api/v1/sessions/:id')
      .needs(write)
      .gives(204)
      .says('Ends a session with the tokens obtained in it.')
      .does(async ({ caller, params }) => {
        const [accountId, subject = ''] = [ownerOf(caller), params['id']]
        if (!(await sessions.end(accountId, subject))) throw noSession()
        await parts.audit.note(caller.caller, { event: 'session.ended', outcome: 'done', accountId, subject })
        return { kind: 'empty', status: 204 }
      }),
    del('/api/v1/sessions')
      .needs(write)
      .takes(Ending)
      .gives(204)
      .says(
        'Ends all other sessions with the tokens obtained in them; `everywhere`, also this one and every refresh token.',
      )
      .does(async ({ caller, input }) => {
        await endSessions(parts, caller, input.everywhere === 'true' ? 'all' : 'others')
        return { kind: 'empty', status: 204 }
      }),
  ]
}

/** Also for the session of somebody else. */
const noSession = () => new AppError('not_found', 'There is no such session.')

async function endSessions(
  { sessions, accounts, audit }: SessionParts,
  { caller, sid, ...who }: ApiCaller,
  which: 'others' | 'all',
): Promise<void> {
  const accountId = ownerOf(who)
  if (which === 'all') {
    // The epoch first: from here on nothing of before is taken anywhere, whatever is still stored.
    await accounts.signOutEverywhere(caller, accountId)
    return sessions.endAll(accountId)
  }
  const count = await sessions.endOthers(accountId, sid)
  await audit.note(caller, { event: 'session.others_ended', outcome: 'done', accountId, details: { count } })
}

function shownSession(
  { id, createdAt, lastSeenAt, signedInAt, ip, userAgent, expiresAt, apps }: Session,
  current: string | undefined,
) {
  return {
    id,
    created_at: isoTime(createdAt),
    last_active_at: isoTime(lastSeenAt),
    signed_in_at: isoTime(signedInAt),
    expires_at: expiresAt === undefined ? null : isoTime(expiresAt),
    ip,
    user_agent: userAgent,
    apps,
    current: id === current,
  }
}
