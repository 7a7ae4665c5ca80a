/**
 * Developer pages: the apps a person has registered, theirs alone. Making one, changing one and a new secret need a recent sign-in; a secret stands in
 * the answer to its form and nowhere else. The form is `app-form.ts`'s, the example `snippet.ts`'s.
 *
 *   below /developer/apps
 *   GET  /      the list               POST /              a new app          GET  /new   the form
 *   GET  /:id   one of them            POST /:id/change    its change         POST /:id/remove   the end, with the name typed
 *                                      POST /:id/secret    a new secret, shown once
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { holdsSecret } from '../apps/app-types.ts'
import type { Apps, IssuedApp } from '../apps/apps.ts'
import { getOwnApp, refuseMoreApps } from '../apps/ownership.ts'
import { hasCode } from '../errors.ts'
import type { AppDetail, AppProblem } from '../http/developer-views.ts'
import { type AccessRule, type Answer, get, type Handler, post, type RequestFacts, type Route } from '../http/route.ts'
import type { ViewName, Views } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import {
  askedScopes,
  ChangeFields,
  draftOf,
  keysIn,
  linesOf,
  NewAppFields,
  type OfferedScopes,
  problemsOf,
} from './app-form.ts'
import { detailOf, rowOf } from './app-shown.ts'
import { snippetOf } from './snippet.ts'

/** Somebody who is signed in in this browser. */
interface Developer {
  readonly account: Account
}

type DeveloperView = Extract<ViewName, `developer/${string}`>

interface DeveloperParts<D extends Developer> {
  readonly access: {
    readonly signedIn: AccessRule<D>
    readonly recent: AccessRule<D>
    readonly form: AccessRule<D>
    readonly recentForm: AccessRule<D>
  }
  /** Draws a page with the navigation around it. */
  readonly draw: <V extends DeveloperView>(view: V, person: D, model: Omit<Views[V], 'shell'>) => Answer
  readonly once: { mark(): string; isFirst(accountId: string, mark: string): Promise<boolean> }
  readonly apps: Apps
  readonly scopes: OfferedScopes
  readonly issuer: string
  readonly now: () => number
}

const HOME = '/developer/apps'
const PAGE_SIZE = 25
const TYPES = ['web', 'spa', 'native', 'device', 'service'] as const

const Listed = z.object({
  cursor: z.string().max(500).optional(),
  done: z.enum(['removed', 'repeated']).optional().catch(undefined),
})
const Shown = z.object({ done: z.enum(['created', 'changed', 'repeated']).optional().catch(undefined) })
const SecretFields = z.object({
  mark: z.string().max(64).default(''),
  overlap: z.enum(['0', '3600', '86400', '604800']).catch('86400'),
})
const RemoveFields = z.object({ name: z.string().max(1000).default('') })

type Does<D extends Developer, I> = Handler<I, D, unknown>

export function createDeveloperPages<D extends Developer>(parts: DeveloperParts<D>): readonly Route[] {
  const { access } = parts
  return [
    get(HOME).needs(access.signedIn).takes(Listed).does(list(parts)),
    get(`${HOME}/new`)
      .needs(access.recent)
      .does(({ caller }) => drawForm(parts, caller, NewAppFields.parse({ scope: [], optional_scope: [] }), [])),
    post(HOME).needs(access.recentForm).takes(NewAppFields).does(create(parts)),
    get(`${HOME}/:id`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(async ({ caller, params, input: { done } }) =>
        showOne(parts, caller, await owned(parts, caller, params['id']), done ? { done } : {}),
      ),
    post(`${HOME}/:id/change`).needs(access.recentForm).takes(ChangeFields).does(change(parts)),
    post(`${HOME}/:id/secret`).needs(access.recentForm).takes(SecretFields).does(rotate(parts)),
    post(`${HOME}/:id/remove`).needs(access.form).takes(RemoveFields).does(remove(parts)),
  ]
}

function owned<D extends Developer>({ apps }: DeveloperParts<D>, { account }: D, id = ''): Promise<App> {
  return getOwnApp(apps, account.id, id)
}

function callerOf({ account }: Developer, { ip, userAgent, requestId }: RequestFacts): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}

function list<D extends Developer>({ apps, draw }: DeveloperParts<D>): Does<D, z.infer<typeof Listed>> {
  return async ({ caller, input: { cursor, done } }) => {
    const paging = { limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
    const { items, nextCursor } = await apps.list({ ownerId: caller.account.id, ...paging })
    return draw('developer/apps', caller, {
      rows: items.map(rowOf),
      isFirstPage: cursor === undefined,
      ...(nextCursor ? { nextUrl: `${HOME}?${new URLSearchParams({ cursor: nextCursor })}` } : {}),
      ...(caller.account.emailVerified ? { newUrl: `${HOME}/new` } : {}),
      ...(done ? { done } : {}),
    })
  }
}

function drawForm<D extends Developer>(
  { draw, once, scopes }: DeveloperParts<D>,
  person: D,
  typed: NewAppFields,
  problems: readonly AppProblem[],
): Answer {
  const { type, auth, jwks, name, redirect_uris: redirectUris } = typed
  const draft = draftOf(scopes, { name, redirectUris, type, ...askedScopes(typed) }, problems)
  return draw('developer/app-new', person, { mark: once.mark(), type, types: TYPES, auth, jwks, ...draft })
}

function create<D extends Developer>(parts: DeveloperParts<D>): Does<D, NewAppFields> {
  return async ({ caller: person, input, request }) => {
    const { apps, once } = parts
    if (!(await once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${HOME}?done=repeated` }
    try {
      await refuseMoreApps(apps, person.account)
      const issued = await apps.create(callerOf(person, request), wantedOf(person, input))
      if (issued.clientSecret !== undefined) return reveal(parts, person, issued, { isNew: true })
      return { kind: 'redirect', location: `${HOME}/${issued.app.clientId}?done=created` }
    } catch (error) {
      return drawForm(parts, person, input, problemsOf(error))
    }
  }
}

function wantedOf({ account }: Developer, typed: NewAppFields): Parameters<Apps['create']>[1] {
  const { name, type } = typed
  const mayHoldSecret = type === 'web' || type === 'service'
  const proof = mayHoldSecret && typed.auth === 'private_key_jwt' ? { auth: typed.auth, ...keysIn(typed.jwks) } : {}
  const returns = type === 'device' || type === 'service' ? {} : { redirectUris: linesOf(typed.redirect_uris) }
  return { name, type, ownerId: account.id, ...askedScopes(typed), ...returns, ...proof }
}

/** The one answer that holds a client secret. */
function reveal<D extends Developer>(
  { draw, issuer }: DeveloperParts<D>,
  person: D,
  { app, clientSecret = '' }: IssuedApp,
  { isNew }: { readonly isNew: boolean },
): Answer {
  const oldEndsAt = app.secrets.find(({ expiresAt }) => expiresAt !== undefined)?.expiresAt
  return draw('developer/app-reveal', person, {
    clientId: app.clientId,
    name: app.name,
    clientSecret,
    isNew,
    snippet: snippetOf({ issuer, app, clientSecret }),
    ...(oldEndsAt === undefined ? {} : { oldEndsAt }),
  })
}

function showOne<D extends Developer>(
  { draw, once, scopes, issuer, now }: DeveloperParts<D>,
  person: D,
  app: App,
  {
    problems = [],
    typed,
    done,
  }: Pick<AppDetail, 'done'> & { problems?: readonly AppProblem[]; typed?: ChangeFields } = {},
): Answer {
  const written = typed
    ? { name: typed.name, redirectUris: typed.redirect_uris, ...askedScopes(typed) }
    : { ...app, redirectUris: app.redirectUris.join('\n') }
  return draw('developer/app', person, {
    ...draftOf(scopes, { ...written, type: app.type }, problems),
    ...detailOf(app, now()),
    snippet: snippetOf({ issuer, app }),
    mark: once.mark(),
    ...(done ? { done } : {}),
  })
}

function change<D extends Developer>(parts: DeveloperParts<D>): Does<D, ChangeFields> {
  return async ({ caller: person, params, input, request }) => {
    const app = await owned(parts, person, params['id'])
    const returns =
      app.type === 'device' || app.type === 'service' ? {} : { redirectUris: linesOf(input.redirect_uris) }
    try {
      const wanted = { name: input.name, ...askedScopes(input), ...returns }
      await parts.apps.change(callerOf(person, request), app.clientId, wanted)
    } catch (error) {
      return showOne(parts, person, app, { typed: input, problems: problemsOf(error) })
    }
    return { kind: 'redirect', location: `${HOME}/${app.clientId}?done=changed` }
  }
}

function rotate<D extends Developer>(parts: DeveloperParts<D>): Does<D, z.infer<typeof SecretFields>> {
  return async ({ caller: person, params, input, request }) => {
    const { clientId, auth } = await owned(parts, person, params['id'])
    if (!holdsSecret(auth) || !(await parts.once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${HOME}/${clientId}?done=repeated` }
    const overlap = { overlapSeconds: Number(input.overlap) }
    const issued = await parts.apps.rotateSecret(callerOf(person, request), clientId, overlap)
    return reveal(parts, person, issued, { isNew: false })
  }
}

function remove<D extends Developer>(parts: DeveloperParts<D>): Does<D, z.infer<typeof RemoveFields>> {
  return async ({ caller: person, params, input, request }) => {
    const app = await owned(parts, person, params['id'])
    if (input.name.trim() !== app.name)
      return showOne(parts, person, app, { problems: [{ field: 'form', code: 'other_name' }] })
    try {
      await parts.apps.remove(callerOf(person, request), app.clientId)
    } catch (error) {
      // Removed elsewhere at the same moment: as wanted.
      if (!hasCode(error, 'not_found')) throw error
    }
    return { kind: 'redirect', location: `${HOME}?done=removed` }
  }
}
