/**
 * What an account sees and ends of its own: connected apps, what was done, why something was refused; its sessions stand in `sessions.ts`. Lists
 * answer `{items, next_cursor}`; what belongs to somebody else is not there.
 */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { type Answer, del, get, patch, type Route } from '../http/route.ts'
import type { Denials } from '../keys/denials.ts'
import type { AuditEntry, Caller } from '../observability/audit.ts'
import type { LogPage } from '../storage/store.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { Activity, ConnectedApp as ConnectedAppShape, Denial, pageOf } from './shapes.ts'

interface ConnectedApp {
  readonly id: string
  readonly clientId: string
  readonly scopes: Readonly<Record<string, readonly string[]>>
  readonly duration: string
  readonly firstAt: number
  readonly lastAt: number
  readonly expiresAt?: number
  readonly families: number
}

export type Listed<T> = Promise<{ readonly items: readonly T[]; readonly nextCursor?: string }>
export type Paging = { cursor?: string; limit?: number }

export interface OwnParts {
  readonly credentials: Credentials
  readonly consents: {
    list(accountId: string, paging: Paging): Listed<ConnectedApp>
    getOwned(accountId: string, id: string): Promise<ConnectedApp>
    shrink(
      accountId: string,
      id: string,
      change: { scopes?: readonly string[]; expiresAt?: number },
    ): Promise<ConnectedApp>
  }
  /** Ends a connected app with everything it holds, and notes it. */
  readonly disconnect: (caller: ApiCaller, id: string) => Promise<void>
  readonly appName: (clientId: string) => Promise<{ name: string; verified: boolean } | undefined>
  readonly readLog: (accountId: string, paging: Paging) => Promise<LogPage>
  readonly denials: Pick<Denials, 'getOwned'>
}

export const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
const Shrink = z.strictObject({
  scopes: z.array(z.string().max(100)).max(200).optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
})

export function createOwnRoutes(parts: OwnParts): readonly Route[] {
  const { credentials, consents, denials } = parts
  const read = credentials.bearer('api:read')
  const write = credentials.bearer('api:write')
  return [
    get('/api/v1/grants')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(ConnectedAppShape))
      .says('Your connected apps, newest first.')
      .does(async ({ caller, input }) => {
        const { items, nextCursor } = await consents.list(ownerOf(caller), paging(input))
        const shown = await Promise.all(items.map((app) => shownApp(parts, app)))
        return listed({ items: shown, ...(nextCursor ? { nextCursor } : {}) }, (app) => app)
      }),
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
      .says('Takes scopes away or ends it earlier; never the other way.')
      .does(async ({ caller, params, input }) => {
        const change = {
          ...(input.scopes ? { scopes: input.scopes } : {}),
          ...(input.expires_at ? { expiresAt: Date.parse(input.expires_at) } : {}),
        }
        return json(await shownApp(parts, await consents.shrink(ownerOf(caller), params['id'] ?? '', change)))
      }),
    del('/api/v1/grants/:id')
      .needs(write)
      .gives(204)
      .says('Ends a connected app with everything it holds.')
      .does(async ({ caller, params }) => {
        await parts.disconnect(caller, params['id'] ?? '')
        return { kind: 'empty', status: 204 }
      }),
    get('/api/v1/activity')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(Activity))
      .says('What was done with your account, newest first.')
      .does(async ({ caller, input }) => listed(await parts.readLog(ownerOf(caller), paging(input)), shownRecord)),
    get('/api/v1/denials/:ref')
      .needs(read)
      .gives(200, Denial)
      .says('Why a credential of yours was refused.')
      .does(async ({ caller, params }) =>
        json(shownDenial(await denials.getOwned(ownerOf(caller), params['ref'] ?? ''))),
      ),
  ]
}

/** The account behind the credential; a service app has none. */
export function ownerOf({ account }: Pick<ApiCaller, 'account'>): string {
  if (account) return account.id
  throw new AppError('forbidden', 'This is about an account; an app that acts for itself has none.')
}

const json = (body: unknown): Answer => ({ kind: 'json', body })
export const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString()

export function paging({ cursor, limit }: z.infer<typeof Page>): Paging {
  return { limit, ...(cursor === undefined ? {} : { cursor }) }
}

export function listed<T>(
  { items, nextCursor }: { readonly items: readonly T[]; readonly nextCursor?: string },
  shown: (item: T) => unknown,
): Answer {
  return json({ items: items.map(shown), next_cursor: nextCursor ?? null })
}

async function shownApp(
  { appName }: OwnParts,
  { id, clientId, scopes, duration, firstAt, lastAt, expiresAt, families }: ConnectedApp,
) {
  const app = await appName(clientId)
  const resources = Object.entries(scopes).filter(([key]) => key !== 'identity')
  return {
    id,
    client_id: clientId,
    name: app?.name ?? clientId,
    verified: app?.verified ?? false,
    identity_scopes: scopes['identity'] ?? [],
    scopes: [...new Set(resources.flatMap(([, list]) => list))],
    resources: resources.map(([identifier, list]) => ({ identifier, scopes: list })),
    duration,
    live_families: families,
    created_at: isoTime(firstAt),
    updated_at: isoTime(lastAt),
    expires_at: expiresAt === undefined ? null : isoTime(expiresAt),
  }
}

/** An audit record as it was noted. */
export type Recorded = Partial<AuditEntry> & { readonly caller?: Caller }

/** An entry as the account's owner sees it: where an operator sits is not the owner's to know. */
export function shownRecord({ sequence, log, at, record }: LogPage['items'][number]) {
  const { event, outcome, subject, reason, details, caller } = record as Recorded
  const from = caller?.kind === 'operator' ? undefined : caller
  return {
    id: `${log}-${sequence}`,
    at: isoTime(at),
    event,
    outcome,
    subject: subject ?? null,
    reason: reason ?? null,
    details: details ?? null,
    actor: from?.actor ?? null,
    ip: from?.ip ?? null,
    user_agent: from?.userAgent ?? null,
  }
}

function shownDenial({
  ref,
  reason,
  at,
  credential,
  ip,
  userAgent,
  request,
}: Awaited<ReturnType<OwnParts['denials']['getOwned']>>) {
  return { ref, reason, at: isoTime(at), credential, ip, user_agent: userAgent, request: request ?? null }
}
