/**
 * Administrators' pages, apps: those that wait to be verified, all of them, and one with what only an administrator does. Every act is in the audit
 * with the administrator's name; a decision is about the app as its page showed it.
 *
 *   GET  /admin/apps       ?queue=review|all ?id=
 *   GET  /admin/apps/:id   one app         POST /admin/apps/:id/suspend · resume · verify · decline
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import type { Apps } from '../apps/apps.ts'
import type { Publishers } from '../apps/publishers.ts'
import { judgeRedirectUri } from '../apps/redirect-uris.ts'
import { standingOf } from '../apps/vendor.ts'
import { AppError } from '../errors.ts'
import type { AdminApp, AdminAppDone, AdminAppRow } from '../http/admin-views.ts'
import { type Answer, get, type Handler, post, type RequestFacts, type Route } from '../http/route.ts'
import type { Caller } from '../observability/audit.ts'
import type { Administrator, AdminRoom } from './room.ts'

export interface AdminParts<A extends Administrator> extends AdminRoom<A> {
  readonly apps: Pick<Apps, 'find' | 'getById' | 'list' | 'suspend' | 'resume'>
  readonly publishers: Pick<Publishers, 'verify' | 'decline'>
  readonly findAccount: (id: string) => Promise<Account | undefined>
  readonly scopes: Readonly<Record<string, { readonly describe: string }>>
}

const HOME = '/admin/apps'
const PAGE_SIZE = 50

const Listed = z.object({
  queue: z.enum(['review', 'all']).catch('review').default('review'),
  id: z.string().trim().max(2100).default(''),
  cursor: z.string().max(500).optional(),
})
const Shown = z.object({ done: z.enum(['suspended', 'resumed', 'verified', 'declined']).optional().catch(undefined) })
const ReasonFields = z.object({ reason: z.string().trim().max(1000).default('') })
const DecisionFields = ReasonFields.extend({ seen: z.coerce.number().int().min(0).catch(0) })

type Does<A extends Administrator, I> = Handler<I, A, unknown>

export function createAdminApps<A extends Administrator>(parts: AdminParts<A>): readonly Route[] {
  const { access, apps, publishers } = parts
  const decide = (done: 'verified' | 'declined', act: Publishers['verify']) =>
    acting(parts, done, DecisionFields, (caller, { clientId }, { seen, reason }) =>
      act(caller, clientId, { updatedAt: seen, reason }),
    )
  return [
    get(HOME).needs(access.page).takes(Listed).does(list(parts)),
    get(`${HOME}/:id`)
      .needs(access.page)
      .takes(Shown)
      .does(async ({ caller, params, input: { done } }) =>
        showOne(parts, caller, await apps.getById(params['id'] ?? ''), done ? { done } : {}),
      ),
    acting(parts, 'suspended', ReasonFields, (caller, { clientId }, { reason }) =>
      apps.suspend(caller, clientId, reason),
    ),
    acting(parts, 'resumed', z.object({}), (caller, { clientId }) => apps.resume(caller, clientId)),
    decide('verified', publishers.verify),
    decide('declined', publishers.decline),
  ]
}

const PATHS: Readonly<Record<AdminAppDone, string>> = {
  suspended: 'suspend',
  resumed: 'resume',
  verified: 'verify',
  declined: 'decline',
}

/** A form of the page of one app. */
function acting<A extends Administrator, I>(
  parts: AdminParts<A>,
  done: AdminAppDone,
  fields: z.ZodType<I>,
  act: (caller: Caller, app: App, input: I) => Promise<unknown>,
): Route {
  const handle: Does<A, I> = async ({ caller: person, params, input, request }) => {
    const app = await parts.apps.getById(params['id'] ?? '')
    const needsReason = done === 'suspended' || done === 'declined'
    if (needsReason && (input as { reason?: string }).reason === '')
      return showOne(parts, person, app, { problem: 'reason' })
    try {
      await act(callerOf(person, request), app, input)
    } catch (error) {
      return showOne(parts, person, await parts.apps.getById(app.clientId), { problem: problemOf(error) })
    }
    return { kind: 'redirect', location: `${HOME}/${encodeURIComponent(app.clientId)}?done=${done}` }
  }
  return post(`${HOME}/:id/${PATHS[done]}`).needs(parts.access.form).takes(fields).does(handle)
}

/** What the page can say; everything else is thrown on. */
function problemOf(error: unknown): NonNullable<AdminApp['problem']> {
  if (!(error instanceof AppError)) throw error
  if (error.code === 'conflict') return 'changed'
  if (error.code === 'forbidden') return 'refused'
  const code = error.details.fields?.[0]?.code
  if (error.code === 'invalid_request' && (code === 'not_proven' || code === 'other_domain')) return code
  throw error
}

/** An administrator as the one on whose behalf something happens. */
export function callerOf({ account }: Administrator, { ip, userAgent, requestId }: RequestFacts): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}

function list<A extends Administrator>({ apps, draw }: AdminParts<A>): Does<A, z.infer<typeof Listed>> {
  return async ({ caller, input: { queue, id, cursor } }) => {
    if (id !== '') {
      const found = await apps.find(id)
      return draw('admin/apps', caller, {
        queue: 'all',
        sought: id,
        rows: found ? [rowOf(found)] : [],
        isFirstPage: true,
      })
    }
    const which = queue === 'review' ? { review: 'waiting' as const } : {}
    const { items, nextCursor } = await apps.list({ ...which, limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) })
    return draw('admin/apps', caller, {
      queue,
      rows: items.map(rowOf),
      isFirstPage: cursor === undefined,
      ...(nextCursor ? { nextUrl: `${HOME}?${new URLSearchParams({ queue, cursor: nextCursor })}` } : {}),
    })
  }
}

function rowOf(app: App): AdminAppRow {
  const { clientId, name, type, suspended, createdAt, publisher, review } = app
  return {
    clientId,
    name,
    type,
    standing: standingOf(app),
    isSuspended: suspended !== undefined,
    isWaiting: review === 'waiting',
    createdAt,
    ...(publisher ? { domain: publisher.domain } : {}),
  }
}

async function showOne<A extends Administrator>(
  { draw, findAccount, scopes: rules }: AdminParts<A>,
  person: A,
  app: App,
  more: Pick<AdminApp, 'done' | 'problem'>,
): Promise<Answer> {
  const owner = app.ownerId === undefined ? undefined : await findAccount(app.ownerId)
  const links = [
    { kind: 'home', uri: app.clientUri },
    { kind: 'privacy', uri: app.policyUri },
    { kind: 'terms', uri: app.tosUri },
  ] as const
  return draw('admin/app', person, {
    app: {
      ...rowOf(app),
      auth: app.auth,
      source: app.source,
      isChangeable: app.source !== 'configuration',
      ...(app.description ? { description: app.description } : {}),
      ...(app.suspended ? { suspendedReason: app.suspended.reason } : {}),
      ...(app.declined ? { declinedReason: app.declined.reason } : {}),
      ...(app.publisher ? { provenBy: app.publisher.by, provenAt: app.publisher.provenAt } : {}),
    },
    redirects: app.redirectUris.map((uri) => {
      const judged = judgeRedirectUri(uri, app.type)
      return { uri, warnings: judged.ok ? judged.warnings : [] }
    }),
    links: links.flatMap(({ kind, uri }) => (uri === undefined ? [] : [{ kind, uri }])),
    scopes: [...app.scopes, ...app.optionalScopes].map((name) => ({ name, sentence: rules[name]?.describe ?? '' })),
    seen: app.updatedAt,
    ...(owner ? { owner: owner.email } : {}),
    ...more,
  })
}
