/**
 * Developer pages, protected resources: the MCP servers a person brings, theirs alone. Bringing one needs a recent sign-in; tokens are made for it once
 * its host is proven, which its page helps with, as with the metadata to serve.
 *
 *   below /developer/resources
 *   GET  /      the list               POST /              a new one          GET  /new   the form
 *   GET  /:id   one of them            POST /:id/change    its change         POST /:id/prove · /:id/remove
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import { resourceMetadata } from '../apps/resource-metadata.ts'
import type { DeveloperResource, DeveloperResources } from '../apps/resources.ts'
import { AppError } from '../errors.ts'
import type { ResourceDetail, ResourceProblem, ResourceRow, ScopeChoice } from '../http/developer-views.ts'
import { type AccessRule, type Answer, get, type Handler, post, type RequestFacts, type Route } from '../http/route.ts'
import type { ViewName, Views } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

interface Developer {
  readonly account: Account
}

interface ResourceParts<D extends Developer> {
  readonly access: {
    readonly signedIn: AccessRule<D>
    readonly recent: AccessRule<D>
    readonly form: AccessRule<D>
    readonly recentForm: AccessRule<D>
  }
  readonly draw: <V extends Extract<ViewName, `developer/${string}`>>(
    view: V,
    person: D,
    model: Omit<Views[V], 'shell'>,
  ) => Answer
  readonly resources: DeveloperResources
  readonly limitProof: (accountId: string) => Promise<unknown>
  /** The scopes such resources may own, with the operator's sentences. */
  readonly offered: readonly { readonly name: string; readonly sentence: string }[]
  readonly issuer: string
}

const HOME = '/developer/resources'
const PAGE_SIZE = 25

const Listed = z.object({
  cursor: z.string().max(500).optional(),
  done: z.enum(['removed']).optional().catch(undefined),
})
const Shown = z.object({ done: z.enum(['created', 'saved', 'proven']).optional().catch(undefined) })
const scopes = z.array(z.string().max(100)).max(100)
const ChangeFields = z.object({
  name: z.string().max(1000).default(''),
  scope: scopes,
  default_scope: scopes,
})
const NewFields = ChangeFields.extend({ identifier: z.string().trim().max(1000).default('') })
type NewFields = z.infer<typeof NewFields>
type ChangeFields = z.infer<typeof ChangeFields>

type Does<D extends Developer, I> = Handler<I, D, unknown>

export function createResourcePages<D extends Developer>(parts: ResourceParts<D>): readonly Route[] {
  const { access, resources, limitProof } = parts
  const owned = ({ account }: D, id = '') => resources.getOwned(account.id, id)
  return [
    get(HOME).needs(access.signedIn).takes(Listed).does(list(parts)),
    get(`${HOME}/new`)
      .needs(access.recent)
      .does(({ caller }) => drawNew(parts, caller, NewFields.parse({ scope: [], default_scope: [] }), [])),
    post(HOME).needs(access.recentForm).takes(NewFields).does(create(parts)),
    get(`${HOME}/:id`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(async ({ caller, params, input: { done } }) =>
        showOne(parts, caller, await owned(caller, params['id']), done ? { done } : {}),
      ),
    acting(parts, 'change', access.recentForm, ChangeFields, async (caller, resource, typed) => {
      await resources.change(caller, resource, wantedOf(typed))
      return `${HOME}/${resource.id}?done=saved`
    }),
    acting(parts, 'prove', access.form, z.object({}), async (caller, resource) => {
      await limitProof(resource.ownerId)
      await resources.prove(caller, resource)
      return `${HOME}/${resource.id}?done=proven`
    }),
    acting(parts, 'remove', access.form, z.object({}), async (caller, resource) => {
      await resources.remove(caller, resource)
      return `${HOME}?done=removed`
    }),
  ]
}

/** A form of the page of one resource; `act` returns where to go on. */
function acting<D extends Developer, I>(
  parts: ResourceParts<D>,
  path: string,
  access: AccessRule<D>,
  fields: z.ZodType<I>,
  act: (caller: Caller, resource: DeveloperResource, input: I) => Promise<string>,
): Route {
  const handle: Does<D, I> = async ({ caller: person, params, input, request }) => {
    const resource = await parts.resources.getOwned(person.account.id, params['id'] ?? '')
    try {
      return { kind: 'redirect', location: await act(callerOf(person, request), resource, input) }
    } catch (error) {
      return showOne(parts, person, resource, { problems: problemsOf(error) })
    }
  }
  return post(`${HOME}/:id/${path}`).needs(access).takes(fields).does(handle)
}

function callerOf({ account }: Developer, { ip, userAgent, requestId }: RequestFacts): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}

function list<D extends Developer>({ resources, draw }: ResourceParts<D>): Does<D, z.infer<typeof Listed>> {
  return async ({ caller, input: { cursor, done } }) => {
    const paging = { limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
    const { items, nextCursor } = await resources.list({ ownerId: caller.account.id, ...paging })
    return draw('developer/resources', caller, {
      rows: items.map(rowOf),
      isFirstPage: cursor === undefined,
      mayAdd: caller.account.emailVerified,
      ...(nextCursor ? { nextUrl: `${HOME}?${new URLSearchParams({ cursor: nextCursor })}` } : {}),
      ...(done ? { done } : {}),
    })
  }
}

function rowOf({ id, identifier, name, state }: DeveloperResource): ResourceRow {
  return { id, identifier, name, state }
}

function create<D extends Developer>(parts: ResourceParts<D>): Does<D, NewFields> {
  return async ({ caller: person, input, request }) => {
    const { account } = person
    try {
      if (!account.emailVerified) throw new AppError('forbidden', 'Confirm your mail address first.')
      const wanted = { ...wantedOf(input), identifier: input.identifier }
      const { id } = await parts.resources.create(callerOf(person, request), account.id, wanted)
      return { kind: 'redirect', location: `${HOME}/${id}?done=created` }
    } catch (error) {
      return drawNew(parts, person, input, problemsOf(error))
    }
  }
}

/** A scope that is ticked as a default is one of the resource. */
function wantedOf({ name, scope, default_scope: defaultScopes }: ChangeFields) {
  return { name, scopes: [...new Set([...scope, ...defaultScopes])], defaultScopes }
}

function drawNew<D extends Developer>(
  { draw, offered }: ResourceParts<D>,
  person: D,
  typed: NewFields,
  problems: readonly ResourceProblem[],
): Answer {
  const { name, identifier } = typed
  return draw('developer/resource-new', person, {
    name,
    identifier,
    scopes: choices(offered, wantedOf(typed)),
    problems,
  })
}

function choices(
  offered: ResourceParts<Developer>['offered'],
  { scopes: owned, defaultScopes }: { readonly scopes: readonly string[]; readonly defaultScopes: readonly string[] },
): ScopeChoice[] {
  const chosen = (name: string) =>
    defaultScopes.includes(name) ? 'optional' : owned.includes(name) ? 'asked' : ('none' as const)
  return offered.map(({ name, sentence }) => ({ name, sentence, chosen: chosen(name) }))
}

function showOne<D extends Developer>(
  { draw, resources, offered, issuer }: ResourceParts<D>,
  person: D,
  resource: DeveloperResource,
  { problems = [], done }: { problems?: readonly ResourceProblem[]; done?: NonNullable<ResourceDetail['done']> },
): Answer {
  const { url, document } = resourceMetadata(resource, issuer)
  return draw('developer/resource', person, {
    resource: rowOf(resource),
    name: resource.name,
    identifier: resource.identifier,
    scopes: choices(offered, resource),
    problems,
    challenge: resources.challenge(resource),
    metadata: { url, text: JSON.stringify(document, null, 2) },
    ...(resource.refusedBecause === undefined ? {} : { refusedReason: resource.refusedBecause }),
    ...(done ? { done } : {}),
  })
}

const FIELDS: readonly (readonly [RegExp, ResourceProblem['field']])[] = [
  [/^\/name/, 'name'],
  [/^\/identifier/, 'identifier'],
  [/^\/(?:default_)?scopes/, 'scopes'],
]

/** What was wrong, each field once. Whatever the page cannot say is thrown on. */
function problemsOf(error: unknown): ResourceProblem[] {
  if (!(error instanceof AppError)) throw error
  if (error.code === 'conflict' || error.code === 'forbidden') return [{ field: 'form', code: error.code }]
  if (error.code !== 'invalid_request') throw error
  const found = (error.details.fields ?? []).map(({ pointer, code }): ResourceProblem => {
    const field = FIELDS.find(([pattern]) => pattern.test(pointer))?.[1] ?? 'form'
    return { field, code }
  })
  return [...new Map(found.map((one) => [one.field, one])).values()]
}
