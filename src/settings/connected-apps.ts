/**
 * Settings, connected apps: what was allowed to whom, by vendor; how to take some of it back, and one button that ends everything a vendor holds.
 * What an app may hold at all is decided in `oidc/`; nothing is ever widened here.
 *
 *   GET  /settings/apps         the list, by vendor        POST /settings/apps/stop   ends everything of one vendor
 *   GET  /settings/apps/:id     one app                    POST /settings/apps/:id    fewer scopes, or an earlier end
 */
import { z } from 'zod'
import type { App } from '../apps/app.ts'
import type { Apps } from '../apps/apps.ts'
import { aloneVendor, standingOf, type Vendor, vendorOf } from '../apps/vendor.ts'
import { AppError, hasCode } from '../errors.ts'
import type { ConnectedGroup, ConnectedOne, ConnectedRow } from '../http/connected-views.ts'
import { type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import type { ConsentDuration } from '../http/views.ts'
import type { Audit } from '../observability/audit.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

/** A consent with how much lives by it: scopes by resource, those about the person under `identity`. */
interface Connected {
  readonly id: string
  readonly clientId: string
  readonly scopes: Readonly<Record<string, readonly string[]>>
  readonly duration: ConsentDuration
  readonly firstAt: number
  readonly lastAt: number
  readonly expiresAt?: number
  readonly families: number
}

interface ConnectedParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly consents: {
    list(
      accountId: string,
      paging: Paging,
    ): Promise<{ readonly items: readonly Connected[]; readonly nextCursor?: string }>
    getOwned(accountId: string, id: string): Promise<Connected>
    shrink(accountId: string, id: string, change: { scopes?: readonly string[]; expiresAt?: number }): Promise<unknown>
    end(accountId: string, id: string): Promise<unknown>
  }
  readonly apps: Pick<Apps, 'find'>
  /** Who acts for an account through which consent. */
  readonly delegates: {
    list(accountId: string): Promise<readonly { readonly consentId: string; readonly actor: string }[]>
  }
  readonly audit: Audit
  readonly scopes: Readonly<Record<string, { readonly describe: string }>>
  readonly resourceName: (identifier: string) => string
  readonly now: () => number
}

interface Paging {
  cursor?: string
  limit: number
}

const Listed = z.object({ cursor: z.string().max(500).optional(), stopped: z.coerce.number().int().min(0).optional() })
const Shown = z.object({ done: z.string().max(10).optional() })
const StopFields = z.object({ group: z.string().max(2200).default('') })
const ShrinkFields = z.object({
  scope: z.array(z.string().max(100)).max(200),
  end: z.enum(['keep', '30d', '1d']).catch('keep'),
})

const HOME = '/settings/apps'
const PAGE_SIZE = 100
const DAY_MS = 86_400_000
const ENDS_MS = { '30d': 30 * DAY_MS, '1d': DAY_MS } as const
/** Consents that are ended at the same time. */
const ENDED_AT_ONCE = 16

export function createConnectedApps(parts: ConnectedParts): readonly Route[] {
  const { access } = parts
  return [
    get(HOME).needs(access.signedIn).takes(Listed).does(list(parts)),
    post(`${HOME}/stop`).needs(access.form).takes(StopFields).does(stop(parts)),
    get(`${HOME}/:id`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, params, input }) => showOne(parts, caller, params['id'], input.done ? { done: true } : {})),
    post(`${HOME}/:id`).needs(access.form).takes(ShrinkFields).does(shrink(parts)),
  ]
}

function list(parts: ConnectedParts): Handler<z.infer<typeof Listed>, Person, unknown> {
  return async ({ caller, input: { cursor, stopped } }) => {
    const paging = { limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
    const { items, nextCursor } = await parts.consents.list(caller.account.id, paging)
    const known = await knownOf(parts, caller.account.id, items)
    return parts.draw('settings/apps', caller, {
      groups: grouped(parts, known),
      isFirstPage: cursor === undefined,
      ...(nextCursor ? { nextUrl: `${HOME}?${new URLSearchParams({ cursor: nextCursor })}` } : {}),
      ...(stopped === undefined ? {} : { stopped }),
    })
  }
}

interface Known {
  readonly one: Connected
  /** Undefined when the app is gone. */
  readonly app: App | undefined
  /** Names of those who act through it. */
  readonly delegates: readonly string[]
}

async function knownOf({ apps, delegates }: ConnectedParts, accountId: string, items: readonly Connected[]) {
  const acting = Map.groupBy(await delegates.list(accountId), ({ consentId }) => consentId)
  const nameOf = async ({ actor }: { actor: string }) => (await apps.find(actor))?.name ?? actor
  return Promise.all(
    items.map(
      async (one): Promise<Known> => ({
        one,
        app: await apps.find(one.clientId),
        delegates: await Promise.all((acting.get(one.id) ?? []).map(nameOf)),
      }),
    ),
  )
}

const vendorBehind = ({ one, app }: Pick<Known, 'one' | 'app'>): Vendor =>
  app ? vendorOf(app) : aloneVendor(one.clientId)

/** In the order of the newest of each group. */
function grouped(parts: ConnectedParts, known: readonly Known[]): ConnectedGroup[] {
  const groups = Map.groupBy(known, (each) => vendorBehind(each).key)
  return [...groups].map(([key, members]) => {
    const host = members[0] && vendorBehind(members[0]).host
    return { key, ...(host === undefined ? {} : { host }), apps: members.map((each) => rowOf(parts, each)) }
  })
}

function rowOf({ scopes: rules, resourceName }: ConnectedParts, { one, app, delegates }: Known): ConnectedRow {
  const { id, clientId, duration, firstAt, lastAt, expiresAt, families } = one
  const { identity = [], ...resources } = one.scopes
  const shown = (names: readonly string[]) => names.map((name) => ({ name, sentence: rules[name]?.describe ?? '' }))
  return {
    id,
    clientId,
    name: app?.name ?? clientId,
    standing: app ? standingOf(app) : 'unverified',
    ...(app?.agent ? { agent: true } : {}),
    ...(delegates.length > 0 ? { delegates } : {}),
    identity: shown(identity.filter((name) => name !== 'offline_access')),
    allowed: Object.entries(resources).map(([resource, names]) => ({
      resource: resourceName(resource),
      scopes: shown(names),
    })),
    duration,
    firstAt,
    lastAt,
    families,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

async function showOne(
  parts: ConnectedParts,
  person: Person,
  id = '',
  more: Pick<ConnectedOne, 'done' | 'problem'> = {},
): Promise<Answer> {
  const one = await parts.consents.getOwned(person.account.id, id)
  const [known] = await knownOf(parts, person.account.id, [one])
  if (!known) throw new AppError('not_found', 'There is no such connected app.')
  const { key, host } = vendorBehind(known)
  const ends = (['30d', '1d'] as const).filter((end) => parts.now() + ENDS_MS[end] < (one.expiresAt ?? Infinity))
  const model = { app: rowOf(parts, known), groupKey: key, ends, ...(host === undefined ? {} : { host }), ...more }
  return parts.draw('settings/apps-one', person, model, { here: 'apps' })
}

function shrink(parts: ConnectedParts): Handler<z.infer<typeof ShrinkFields>, Person, unknown> {
  return async ({ caller: person, params, input, request }) => {
    const { id, clientId, scopes } = await parts.consents.getOwned(person.account.id, params['id'] ?? '')
    const { identity = [], ...resources } = scopes
    const held = Object.values(resources).flat()
    const kept = held.filter((scope) => input.scope.includes(scope))
    if (held.length > 0 && kept.length === 0) return showOne(parts, person, id, { problem: 'nothing_left' })
    const end = input.end === 'keep' ? {} : { expiresAt: parts.now() + ENDS_MS[input.end] }
    try {
      await parts.consents.shrink(person.account.id, id, { scopes: [...identity, ...kept], ...end })
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

/** Everything of the vendor, also what was allowed since the page was drawn; noted once. */
function stop(parts: ConnectedParts): Handler<z.infer<typeof StopFields>, Person, unknown> {
  return async ({ caller: person, input, request }) => {
    const accountId = person.account.id
    const found = await consentsOf(parts, accountId, input.group)
    if (found.length === 0) throw new AppError('not_found', 'There is no such connected app.')
    for (let at = 0; at < found.length; at += ENDED_AT_ONCE) {
      const batch = found.slice(at, at + ENDED_AT_ONCE)
      await Promise.all(batch.map(({ id }) => parts.consents.end(accountId, id).catch(ignoreGone)))
    }
    const apps = [...new Set(found.map(({ clientId }) => clientId))]
    await parts.audit.note(callerOf(person, request), {
      event: 'consent.ended',
      outcome: 'done',
      accountId,
      subject: apps.length === 1 ? (apps[0] ?? '') : input.group,
      reason: 'by_owner',
      details: { count: found.length, apps: apps.slice(0, 50) },
    })
    return { kind: 'redirect', location: `${HOME}?stopped=${found.length}` }
  }
}

async function consentsOf({ consents, apps }: ConnectedParts, accountId: string, key: string): Promise<Connected[]> {
  const found: Connected[] = []
  let cursor: string | undefined
  do {
    const page = await consents.list(accountId, { limit: 200, ...(cursor ? { cursor } : {}) })
    const known = await Promise.all(page.items.map(async (one) => ({ one, app: await apps.find(one.clientId) })))
    found.push(...known.filter((each) => vendorBehind(each).key === key).map(({ one }) => one))
    cursor = page.nextCursor
  } while (cursor)
  return found
}

/** Ended elsewhere at the same moment: as wanted. */
function ignoreGone(error: unknown): void {
  if (!hasCode(error, 'not_found')) throw error
}
