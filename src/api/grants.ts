/**
 * Connected apps of the caller's account: what was allowed to whom, one by one and by vendor, taking some of it back, ending it, and what was ever
 * allowed. Nothing is widened here; what belongs to somebody else is not there.
 */
import { z } from 'zod'
import { del, get, patch, type Route } from '../http/route.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { ConnectedApp as ConnectedAppShape, ConnectionDetail, PastConsent, Vendor } from './grant-shapes.ts'
import { isoTime, json, listed, ownerOf, Page, paging } from './own.ts'
import { pageOf } from './shapes.ts'

type ScopesByPlace = Readonly<Record<string, readonly string[]>>

interface Detail {
  readonly type: 'connection'
  readonly identifier: string
  readonly actions: readonly ('read' | 'write')[]
  readonly locations?: readonly string[] | undefined
}

interface ConnectedApp {
  readonly id: string
  readonly clientId: string
  readonly scopes: ScopesByPlace
  readonly connections: readonly Detail[]
  readonly duration: string
  readonly firstAt: number
  readonly lastAt: number
  readonly usedAt?: number
  readonly expiresAt?: number
  readonly families: number
}

interface ConnectedVendor {
  readonly id: string
  readonly host?: string
  readonly apps: readonly ConnectedApp[]
  readonly hasMore: boolean
  readonly families: number
}

interface Note {
  readonly consentId: string
  readonly clientId: string
  readonly act: string
  readonly at: number
  readonly scopes: ScopesByPlace
  readonly connections: readonly Detail[]
  readonly refused: readonly string[]
  readonly duration?: string
  readonly expiresAt?: number
}

type Listed<T> = Promise<{ readonly items: readonly T[]; readonly nextCursor?: string }>
type Paging = { cursor?: string; limit?: number }
type Change = { scopes?: readonly string[]; connections?: readonly Detail[]; expiresAt?: number }

export interface GrantParts {
  readonly credentials: Credentials
  readonly consents: {
    list(accountId: string, paging: Paging): Listed<ConnectedApp>
    listVendors(accountId: string, paging: Paging): Listed<ConnectedVendor>
    getOwned(accountId: string, id: string): Promise<ConnectedApp>
    shrink(accountId: string, id: string, change: Change): Promise<ConnectedApp>
    history(accountId: string, paging: Paging): Listed<Note>
  }
  /** Notes that a connected app was allowed less. */
  readonly noteShrunk: (caller: ApiCaller, clientId: string) => Promise<void>
  /** Ends a connected app with everything it holds, and notes it. */
  readonly disconnect: (caller: ApiCaller, id: string) => Promise<void>
  /** Ends everything of a vendor, and notes it once. */
  readonly stop: (caller: ApiCaller, id: string) => Promise<void>
  readonly appName: (clientId: string) => Promise<{ name: string; verified: boolean } | undefined>
}

const Shrink = z.strictObject({
  scopes: z.array(z.string().max(100)).max(200).optional(),
  authorization_details: z.array(ConnectionDetail).max(200).optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
})

export function createGrantRoutes(parts: GrantParts): readonly Route[] {
  const { credentials, consents } = parts
  const read = credentials.bearer('api:read')
  const write = credentials.bearer('api:write')
  return [
    get('/api/v1/grants')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(ConnectedAppShape))
      .says('Your connected apps, newest first.')
      .does(async ({ caller, input }) => {
        const { items, ...more } = await consents.list(ownerOf(caller), paging(input))
        return listed({ items: await Promise.all(items.map((app) => shownApp(parts, app))), ...more }, (app) => app)
      }),
    get('/api/v1/grants/history')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(PastConsent))
      .says('What you have allowed, allowed less and ended, newest first.')
      .does(async ({ caller, input }) => listed(await consents.history(ownerOf(caller), paging(input)), shownNote)),
    get('/api/v1/grants/:id')
      .needs(read)
      .gives(200, ConnectedAppShape)
      .says('One connected app.')
      .does(async ({ caller, params }) =>
        json(await shownApp(parts, await consents.getOwned(ownerOf(caller), params['id'] ?? ''))),
      ),
    patch('/api/v1/grants/:id')
      .needs(write)
      .takes(Shrink)
      .gives(200, ConnectedAppShape)
      .says('Takes scopes or connections away or ends it earlier; never the other way.')
      .does(async ({ caller, params, input }) => {
        const { scopes, authorization_details: connections, expires_at: end } = input
        const app = await consents.shrink(ownerOf(caller), params['id'] ?? '', {
          ...(scopes ? { scopes } : {}),
          ...(connections ? { connections } : {}),
          ...(end ? { expiresAt: Date.parse(end) } : {}),
        })
        await parts.noteShrunk(caller, app.clientId)
        return json(await shownApp(parts, app))
      }),
    del('/api/v1/grants/:id')
      .needs(write)
      .gives(204)
      .says('Ends a connected app with everything it holds.')
      .does(async ({ caller, params }) => {
        await parts.disconnect(caller, params['id'] ?? '')
        return { kind: 'empty', status: 204 }
      }),
    get('/api/v1/vendors')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(Vendor))
      .says('Your connected apps by who is behind them, newest first; of each vendor the newest fifty.')
      .does(async ({ caller, input }) => {
        const limit = Math.min(input.limit, 50)
        const { items, ...more } = await consents.listVendors(ownerOf(caller), { ...paging(input), limit })
        return listed({ items: await Promise.all(items.map((one) => shownVendor(parts, one))), ...more }, (one) => one)
      }),
    del('/api/v1/vendors/:id')
      .needs(write)
      .gives(204)
      .says('Ends everything of a vendor at once: apps, tokens, codes, device codes and sign-ins that wait.')
      .does(async ({ caller, params }) => {
        await parts.stop(caller, params['id'] ?? '')
        return { kind: 'empty', status: 204 }
      }),
  ]
}

const scopesOf = ({ identity: _identity, ...resources }: ScopesByPlace) => [...new Set(Object.values(resources).flat())]

async function shownApp({ appName }: Pick<GrantParts, 'appName'>, one: ConnectedApp) {
  const { id, clientId, scopes, connections, duration, firstAt, lastAt, usedAt, expiresAt, families } = one
  const app = await appName(clientId)
  const resources = Object.entries(scopes).filter(([key]) => key !== 'identity')
  return {
    id,
    client_id: clientId,
    name: app?.name ?? clientId,
    verified: app?.verified ?? false,
    identity_scopes: scopes['identity'] ?? [],
    scopes: scopesOf(scopes),
    resources: resources.map(([identifier, list]) => ({ identifier, scopes: list })),
    authorization_details: connections,
    duration,
    live_families: families,
    created_at: isoTime(firstAt),
    updated_at: isoTime(lastAt),
    last_used_at: usedAt === undefined ? null : isoTime(usedAt),
    expires_at: expiresAt === undefined ? null : isoTime(expiresAt),
  }
}

async function shownVendor(parts: GrantParts, { id, host, apps, hasMore, families }: ConnectedVendor) {
  const shown = await Promise.all(apps.map((app) => shownApp(parts, app)))
  return { id, host: host ?? null, grants: shown, has_more: hasMore, live_families: families }
}

function shownNote({ consentId, clientId, act, at, scopes, connections, refused, duration, expiresAt }: Note) {
  return {
    grant_id: consentId,
    client_id: clientId,
    act,
    at: isoTime(at),
    identity_scopes: scopes['identity'] ?? [],
    scopes: scopesOf(scopes),
    authorization_details: connections,
    refused_scopes: refused,
    duration: duration ?? null,
    expires_at: expiresAt === undefined ? null : isoTime(expiresAt),
  }
}
