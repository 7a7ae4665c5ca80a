/**
 * Settings, API keys and access tokens: one table of routes for both, since they differ by kind alone. Making one needs a recent sign-in; ending
 * one never does. A secret stands in the answer to its form and nowhere else. Rotation is `key-rotation.ts`'s, the form `key-form.ts`'s.
 *
 *   below /settings/keys and /settings/tokens
 *   GET  /                the list: ?state= ?cursor=        POST /                a new one, shown once
 *   GET  /new             the form; ?like= fills it in      POST /:id             name, fewer scopes, narrower networks
 *   GET  /:id             one of them; ?by=day|hour         POST /:id/revoke      the end, with the name typed
 *   GET  /:id/usage.csv   the figures of its chart
 */
import { z } from 'zod'
import type { KeyDetail, KeyProblem } from '../http/key-views.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import { usageCsv } from '../http/usage-shown.ts'
import type { KeyState } from '../keys/key.ts'
import { KeyFields, keepForm, linesOf, openForm, problemsOf, wantedOf } from './key-form.ts'
import { type Does, getKey, type KeysParts, type Room, reveal } from './key-room.ts'
import { createRotationPages } from './key-rotation.ts'
import { aroundKey, keyShown, rowOf } from './key-shown.ts'
import { createWideningPages } from './key-widening.ts'
import { createLiftPages } from './lifts.ts'
import { callerOf, type Person } from './shell.ts'

const ROOMS = [
  { room: 'keys', kind: 'api_key', path: '/settings/keys' },
  { room: 'tokens', kind: 'personal_access_token', path: '/settings/tokens' },
] as const

const Listed = z.object({
  state: z.enum(['active', 'expired', 'revoked']).optional().catch(undefined),
  cursor: z.string().max(500).optional(),
  done: z.enum(['revoked', 'repeated']).optional().catch(undefined),
})
const Opened = z.object({ like: z.string().max(100).optional() })
const Shown = z.object({
  by: z.enum(['day', 'hour']).catch('day'),
  done: z.enum(['changed', 'widened', 'old_ended', 'repeated', 'lifted', 'not_lifted']).optional().catch(undefined),
})
const ChangeFields = z.object({
  name: z.string().max(1000).default(''),
  scope: z.array(z.string().max(100)).max(100),
  allowed_ips: z.string().max(8000).default(''),
})
const RevokeFields = z.object({ name: z.string().max(1000).default('') })

const PAGE_SIZE = 25

export function createKeyPages(parts: KeysParts): readonly Route[] {
  return [...ROOMS.flatMap((place) => routesOf({ ...parts, ...place })), ...createLiftPages(parts)]
}

function routesOf(room: Room): Route[] {
  const { access, path } = room
  return [
    get(path).needs(access.signedIn).takes(Listed).does(list(room)),
    post(path).needs(access.recentForm).takes(KeyFields).does(create(room)),
    get(`${path}/new`).needs(access.recent).takes(Opened).does(open(room)),
    ...createRotationPages(room),
    ...createWideningPages(room),
    get(`${path}/:id`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, params, input }) => showOne(room, caller, params['id'], input)),
    get(`${path}/:id/usage.csv`).needs(access.signedIn).takes(Shown).does(csv(room)),
    post(`${path}/:id`).needs(access.form).takes(ChangeFields).does(change(room)),
    post(`${path}/:id/revoke`).needs(access.form).takes(RevokeFields).does(revoke(room)),
  ]
}

function list(room: Room): Does<z.infer<typeof Listed>> {
  return async ({ caller, input }) => {
    const { kind, keys } = room
    const states = input.state && FILTERS[input.state]
    const asked = { ownerId: caller.account.id, kind, states, cursor: input.cursor, limit: PAGE_SIZE }
    const { items, nextCursor } = await keys.list(asked)
    const next = new URLSearchParams({ ...(input.state ? { state: input.state } : {}), cursor: nextCursor ?? '' })
    return room.draw(
      'settings/keys',
      caller,
      {
        room: room.room,
        path: room.path,
        rows: items.map(rowOf),
        isFirstPage: input.cursor === undefined,
        ...(input.state ? { filter: input.state } : {}),
        ...(nextCursor ? { nextUrl: `${room.path}?${next}` } : {}),
        ...(caller.account.emailVerified ? { newUrl: `${room.path}/new` } : {}),
        ...(input.done ? { done: input.done } : {}),
      },
      { here: room.room },
    )
  }
}

/** What each filter of the page lets through. */
const FILTERS: Readonly<Record<NonNullable<z.infer<typeof Listed>['state']>, readonly KeyState[]>> = {
  active: ['active', 'rotating'],
  expired: ['expired'],
  revoked: ['revoked'],
}

function open(room: Room): Does<z.infer<typeof Opened>> {
  return async ({ caller, input, request }) => {
    const like = input.like === undefined ? undefined : await getKey(room, caller, input.like)
    return drawForm(room, caller, openForm(room.offer, caller.account, request.ip, like), [])
  }
}

function drawForm(
  room: Room,
  person: Person,
  form: ReturnType<typeof openForm>,
  problems: readonly KeyProblem[],
): Answer {
  const { draw, once, room: name, path } = room
  return draw('settings/keys-new', person, { room: name, path, mark: once.mark(), ...form, problems }, { here: name })
}

function create(room: Room): Does<KeyFields> {
  return async ({ caller: person, input, request }) => {
    const { keys, offer, once, kind, path } = room
    if (!(await once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${path}?done=repeated` }
    const wanted = wantedOf(offer, person.account, input)
    try {
      const issued = await keys.create(callerOf(person, request), { ownerId: person.account.id, kind }, wanted)
      return reveal(room, person, { ...issued, isNew: true })
    } catch (error) {
      const problems = problemsOf(error, wanted.allowedIps ?? [])
      return drawForm(room, person, keepForm(offer, person.account, request.ip, input), problems)
    }
  }
}

/** The page of one key; `more` after something was done with it, or could not be. */
async function showOne(
  room: Room,
  person: Person,
  id: string | undefined,
  { by, done, problem }: { by: 'day' | 'hour'; done?: KeyDetail['done'] | undefined; problem?: KeyProblem },
): Promise<Answer> {
  const key = await getKey(room, person, id)
  const around = await aroundKey(room.keys, { key, ownerId: person.account.id, by, path: room.path })
  const more = { ...(done ? { done } : {}), ...(problem ? { problem } : {}) }
  const mayWiden = key.ancestors.length === 0
  const model = { room: room.room, path: room.path, key: keyShown(room.offer, key), mayWiden, ...around, ...more }
  return room.draw('settings/keys-one', person, model, { here: room.room })
}

function csv({ keys, kind }: Room): Does<z.infer<typeof Shown>> {
  return async ({ caller, params, input: { by } }) => {
    const used = await keys.usage({ ownerId: caller.account.id, id: params['id'] ?? '', kind }, { by })
    return {
      kind: 'text',
      type: 'text/csv; charset=utf-8',
      body: usageCsv(used),
      headers: { 'Content-Disposition': 'attachment; filename="usage.csv"' },
    }
  }
}

/** Only ever narrows: whatever would widen the key is refused, and has a page of its own. */
function change(room: Room): Does<z.infer<typeof ChangeFields>> {
  return async ({ caller: person, params, input, request }) => {
    const key = await getKey(room, person, params['id'])
    const networks = linesOf(input.allowed_ips)
    const scopes = key.scopes.filter((scope) => input.scope.includes(scope))
    const wanted = {
      ...(input.name === key.name ? {} : { name: input.name }),
      ...(scopes.length === key.scopes.length ? {} : { scopes }),
      ...(networks.join() === key.allowedIps.join() ? {} : { allowedIps: networks }),
    }
    try {
      await room.keys.change(callerOf(person, request), { ownerId: person.account.id, id: key.id }, wanted)
    } catch (error) {
      const [problem] = problemsOf(error, networks)
      return showOne(room, person, key.id, { by: 'day', ...(problem ? { problem } : {}) })
    }
    return { kind: 'redirect', location: `${room.path}/${key.id}?done=changed` }
  }
}

function revoke(room: Room): Does<z.infer<typeof RevokeFields>> {
  return async ({ caller: person, params, input, request }) => {
    const key = await getKey(room, person, params['id'])
    if (input.name.trim() !== key.name)
      return showOne(room, person, key.id, { by: 'day', problem: { field: 'form', code: 'other_name' } })
    await room.keys.revoke(callerOf(person, request), { ownerId: person.account.id, id: key.id }, 'by its owner')
    return { kind: 'redirect', location: `${room.path}?done=revoked` }
  }
}
