/**
 * What an account sees of its own: what was done, why something was refused; its sessions stand in `sessions.ts`, connected apps in `grants.ts`. Lists
 * answer `{items, next_cursor}`; what belongs to somebody else is not there.
 */
import { z } from 'zod'
import { activityKinds, activityOutcomes, readActivity, readWholeActivity } from '../accounts/activity.ts'
import { AppError } from '../errors.ts'
import { type Answer, get, type Route } from '../http/route.ts'
import type { Denials } from '../keys/denials.ts'
import type { AuditEntry, Caller } from '../observability/audit.ts'
import type { LogPage, Store } from '../storage/store.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { Activity, Denial, pageOf } from './shapes.ts'

export type Listed<T> = Promise<{ readonly items: readonly T[]; readonly nextCursor?: string }>
export type Paging = { cursor?: string; limit?: number }

export interface OwnParts {
  readonly credentials: Credentials
  readonly store: Pick<Store, 'read'>
  readonly denials: Pick<Denials, 'getOwned'>
}

export const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

const Filter = {
  kind: z.enum(activityKinds).optional(),
  outcome: z.enum(activityOutcomes).optional(),
}

export function createOwnRoutes(parts: OwnParts): readonly Route[] {
  const { credentials, denials, store } = parts
  const read = credentials.bearer('api:read')
  return [
    get('/api/v1/activity')
      .needs(read)
      .takes(z.object({ ...Page.shape, ...Filter }))
      .gives(200, pageOf(Activity))
      .says('What was done with your account, newest first; a page may be short and still have a next one.')
      .does(async ({ caller, input }) => listed(await readActivity(store, ownerOf(caller), input), shownRecord)),
    get('/api/v1/activity.ndjson')
      .needs(read)
      .takes(z.object(Filter))
      .givesFile('application/x-ndjson')
      .says('The newest 10,000 records of the same as a file, one JSON object a line.')
      .does(async ({ caller, input }) => ({
        kind: 'text',
        type: 'application/x-ndjson; charset=utf-8',
        body: (await readWholeActivity(store, ownerOf(caller), input))
          .map((entry) => `${JSON.stringify(shownRecord(entry))}\n`)
          .join(''),
      })),
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

export const json = (body: unknown): Answer => ({ kind: 'json', body })
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
