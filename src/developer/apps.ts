/**
 * Developer pages: the apps a person has registered, theirs alone. Making one and changing one need a recent sign-in. The form is `app-form.ts`'s, the
 * example `snippet.ts`'s, secrets and usage are `secrets.ts`'s.
 *
 *   below /developer/apps
 *   GET  /      the list               POST /              a new app          GET  /new   the form
 *   GET  /:id   one of them            POST /:id/change    its change         POST /:id/remove   the end, with the name typed
 */
import { z } from 'zod'
import type { App } from '../apps/app.ts'
import type { Apps } from '../apps/apps.ts'
import { refuseMoreApps } from '../apps/ownership.ts'
import { hasCode } from '../errors.ts'
import type { AppDetail, AppProblem } from '../http/developer-views.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import { askedScopes, ChangeFields, draftOf, keysIn, linesOf, NewAppFields, problemsOf } from './app-form.ts'
import { detailOf, rowOf } from './app-shown.ts'
import { callerOf, type Developer, type DeveloperParts, type Does, HOME, owned, reveal } from './room.ts'
import { createSecretPages } from './secrets.ts'
import { snippetOf } from './snippet.ts'

const PAGE_SIZE = 25
const TYPES = ['web', 'spa', 'native', 'device', 'service'] as const

const Listed = z.object({
  cursor: z.string().max(500).optional(),
  done: z.enum(['removed', 'repeated']).optional().catch(undefined),
})
const Shown = z.object({ done: z.enum(['created', 'changed', 'repeated']).optional().catch(undefined) })
const RemoveFields = z.object({ name: z.string().max(1000).default('') })

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
    ...createSecretPages(parts),
    post(`${HOME}/:id/remove`).needs(access.form).takes(RemoveFields).does(remove(parts)),
  ]
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

function showOne<D extends Developer>(
  { draw, scopes, issuer, now }: DeveloperParts<D>,
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
