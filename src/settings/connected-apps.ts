/**
 * Settings, connected apps: what was allowed to whom, by vendor; how to take some of it back, one button that ends everything a vendor holds, and what
 * was ever allowed. What an app may hold at all is decided in `oidc/`; nothing is ever widened here.
 *
 *   GET  /settings/apps           the list, by vendor     POST /settings/apps/stop   ends everything of one vendor
 *   GET  /settings/apps/:id       one app                 POST /settings/apps/:id    fewer scopes or connections, or an earlier end
 *   GET  /settings/apps/history   what was ever allowed
 */
import { z } from 'zod'
import { hasCode } from '../errors.ts'
import type { ConnectedOne } from '../http/connected-views.ts'
import { type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import type { Audit } from '../observability/audit.ts'
import {
  type Connected,
  type ConnectedVendor,
  type Connection,
  type Note,
  noteRow,
  type RowParts,
  rowsOf,
  type Vendor,
} from './connected-rows.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

interface Paging {
  readonly cursor?: string
  readonly limit: number
}

type Listed<T> = Promise<{ readonly items: readonly T[]; readonly nextCursor?: string }>

interface ConnectedParts extends RowParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly consents: {
    listVendors(accountId: string, paging: Paging): Listed<ConnectedVendor>
    getOwned(accountId: string, id: string): Promise<Connected & { readonly vendor: Vendor }>
    shrink(
      accountId: string,
      id: string,
      change: { scopes?: readonly string[]; connections?: readonly Connection[]; expiresAt?: number },
    ): Promise<unknown>
    stop(accountId: string, vendor: { key: string }): Promise<{ readonly clientIds: readonly string[] }>
    history(accountId: string, of: Paging & { readonly id?: string }): Listed<Note>
  }
  readonly audit: Audit
  /** The life of the longest-lived access token. */
  readonly longestTokenSeconds: number
  readonly now: () => number
}

const Cursor = z.object({ cursor: z.string().max(500).optional() })
const Listed = Cursor.extend({ stopped: z.coerce.number().int().min(0).optional() })
const Shown = z.object({ done: z.string().max(10).optional() })
const StopFields = z.object({ group: z.string().max(2200).default('') })
const ShrinkFields = z.object({
  scope: z.array(z.string().max(100)).max(200),
  connection: z.array(z.string().max(700)).max(200),
  end: z.enum(['keep', '30d', '1d']).catch('keep'),
})

const HOME = '/settings/apps'
const HISTORY = `${HOME}/history`
const VENDORS_SHOWN = 20
const NOTES_SHOWN = 50
const NOTES_OF_ONE = 8
const DAY_MS = 86_400_000
const ENDS_MS = { '30d': 30 * DAY_MS, '1d': DAY_MS } as const

export function createConnectedApps(parts: ConnectedParts): readonly Route[] {
  const { access } = parts
  return [
    get(HOME).needs(access.signedIn).takes(Listed).does(list(parts)),
    post(`${HOME}/stop`).needs(access.form).takes(StopFields).does(stop(parts)),
    get(HISTORY).needs(access.signedIn).takes(Cursor).does(history(parts)),
    get(`${HOME}/:id`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, params, input }) => showOne(parts, caller, params['id'], input.done ? { done: true } : {})),
    post(`${HOME}/:id`).needs(access.form).takes(ShrinkFields).does(shrink(parts)),
  ]
}

const nextUrl = (path: string, cursor: string | undefined) =>
  cursor ? { nextUrl: `${path}?${new URLSearchParams({ cursor })}` } : {}

function list(parts: ConnectedParts): Handler<z.infer<typeof Listed>, Person, unknown> {
  return async ({ caller, input: { cursor, stopped } }) => {
    const paging = { limit: VENDORS_SHOWN, ...(cursor === undefined ? {} : { cursor }) }
    const { items, nextCursor } = await parts.consents.listVendors(caller.account.id, paging)
    const rowOf = await rowsOf(parts, caller.account.id)
    const groups = items.map(async ({ apps, ...vendor }) => ({ ...vendor, apps: await Promise.all(apps.map(rowOf)) }))
    return parts.draw('settings/apps', caller, {
      groups: await Promise.all(groups),
      isFirstPage: cursor === undefined,
      historyUrl: HISTORY,
      ...nextUrl(HOME, nextCursor),
      ...(stopped === undefined ? {} : { stopped }),
    })
  }
}

function history(parts: ConnectedParts): Handler<z.infer<typeof Cursor>, Person, unknown> {
  return async ({ caller, input: { cursor } }) => {
    const paging = { limit: NOTES_SHOWN, ...(cursor === undefined ? {} : { cursor }) }
    const { items, nextCursor } = await parts.consents.history(caller.account.id, paging)
    const notes = await Promise.all(items.map((note) => noteRow(parts, note)))
    const model = { notes, isFirstPage: cursor === undefined, ...nextUrl(HISTORY, nextCursor) }
    return parts.draw('settings/apps-history', caller, model, { here: 'apps' })
  }
}

async function showOne(
  parts: ConnectedParts,
  person: Person,
  id = '',
  more: Pick<ConnectedOne, 'done' | 'problem'> = {},
): Promise<Answer> {
  const { vendor, ...one } = await parts.consents.getOwned(person.account.id, id)
  const { items } = await parts.consents.history(person.account.id, { id, limit: NOTES_OF_ONE })
  const { key, host } = vendor
  const ends = (['30d', '1d'] as const).filter((end) => parts.now() + ENDS_MS[end] < (one.expiresAt ?? Infinity))
  const model = {
    app: await (await rowsOf(parts, person.account.id))(one),
    groupKey: key,
    offlineMinutes: Math.ceil(parts.longestTokenSeconds / 60),
    ends,
    notes: await Promise.all(items.map((note) => noteRow(parts, note))),
    historyUrl: HISTORY,
    ...(host === undefined ? {} : { host }),
    ...more,
  }
  return parts.draw('settings/apps-one', person, model, { here: 'apps' })
}

function shrink(parts: ConnectedParts): Handler<z.infer<typeof ShrinkFields>, Person, unknown> {
  return async ({ caller: person, params, input, request }) => {
    const { id, clientId, scopes, connections } = await parts.consents.getOwned(person.account.id, params['id'] ?? '')
    const { identity = [], ...resources } = scopes
    const held = Object.values(resources).flat()
    const kept = held.filter((scope) => input.scope.includes(scope))
    const left = connectionsLeft(connections, input.connection)
    if (held.length + connections.length > 0 && kept.length + left.length === 0)
      return showOne(parts, person, id, { problem: 'nothing_left' })
    const end = input.end === 'keep' ? {} : { expiresAt: parts.now() + ENDS_MS[input.end] }
    try {
      await parts.consents.shrink(person.account.id, id, { scopes: [...identity, ...kept], connections: left, ...end })
    } catch (error) {
      if (!hasCode(error, 'invalid_request')) throw error
      return showOne(parts, person, id, { problem: 'wider' })
    }
    const entry = { event: 'consent.shrunk', outcome: 'done', accountId: person.account.id, subject: clientId } as const
    const details = { kept: kept.slice(0, 50), end: input.end }
    await parts.audit.note(callerOf(person, request), { ...entry, details })
    return { kind: 'redirect', location: `${HOME}/${encodeURIComponent(id)}?done=yes` }
  }
}

/** What of the connections is still ticked. */
function connectionsLeft(connections: readonly Connection[], ticks: readonly string[]): Connection[] {
  return connections.flatMap(({ actions, ...one }) => {
    const [place = ''] = one.locations ?? []
    const kept = actions.filter((action) => ticks.includes(`${action} ${one.identifier} ${place}`))
    return kept.length > 0 ? [{ ...one, actions: kept }] : []
  })
}

/** Everything of the vendor, also what was allowed since the page was drawn; noted once. */
function stop(parts: ConnectedParts): Handler<z.infer<typeof StopFields>, Person, unknown> {
  return async ({ caller: person, input, request }) => {
    const accountId = person.account.id
    const { clientIds: apps } = await parts.consents.stop(accountId, { key: input.group })
    await parts.audit.note(callerOf(person, request), {
      event: 'consent.ended',
      outcome: 'done',
      accountId,
      subject: apps.length === 1 ? (apps[0] ?? '') : input.group,
      reason: 'by_owner',
      details: { count: apps.length, apps: apps.slice(0, 50) },
    })
    return { kind: 'redirect', location: `${HOME}?stopped=${apps.length}` }
  }
}
