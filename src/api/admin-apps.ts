/**
 * Apps in the hands of an operator: `/api/v1/admin/apps`. All of them, those that wait for a decision, and what only an operator may do: suspend and
 * resume at once, verify who publishes one. Each act is in the audit, with the operator's name.
 */
import { z } from 'zod'
import { type App, describeApp } from '../apps/app.ts'
import type { Apps } from '../apps/apps.ts'
import type { Publishers } from '../apps/publishers.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import type { Credentials } from './credentials.ts'
import { App as AppShape, pageOf } from './shapes.ts'

interface AdminAppParts {
  readonly credentials: Pick<Credentials, 'administrator'>
  readonly apps: Pick<Apps, 'getById' | 'list' | 'suspend' | 'resume'>
  readonly publishers: Pick<Publishers, 'verify' | 'decline'>
  readonly now: () => number
}

const ROOM = '/api/v1/admin/apps'

const Listed = z.object({
  queue: z.enum(['review']).optional(),
  owner: z.string().max(100).optional(),
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
const reason = z.string().max(1000)
const Reason = z.strictObject({ reason })
/** `updated_at` as it was shown: what was not seen is not decided. */
const Seen = z.strictObject({ updated_at: z.iso.datetime() })
const Declined = z.strictObject({ updated_at: z.iso.datetime(), reason })

export function createAdminAppRoutes({ credentials, apps, publishers, now }: AdminAppParts): readonly Route[] {
  const administrator = credentials.administrator()
  const shown = (app: App): Answer => ({ kind: 'json', body: describeApp(app, now()) })
  return [
    get(ROOM)
      .needs(administrator)
      .takes(Listed)
      .gives(200, pageOf(AppShape))
      .says('Every app, those of the configuration first; `queue=review`: those that wait to be verified.')
      .does(async ({ input: { queue, owner, cursor, limit } }) => {
        const which = queue ? { review: 'waiting' as const } : owner ? { ownerId: owner } : {}
        const { items, nextCursor } = await apps.list({ ...which, limit, ...(cursor ? { cursor } : {}) })
        const body = { items: items.map((app) => describeApp(app, now())), next_cursor: nextCursor ?? null }
        return { kind: 'json', body }
      }),
    get(`${ROOM}/:id`)
      .needs(administrator)
      .gives(200, AppShape)
      .says('One app, whoever it belongs to.')
      .does(async ({ params }) => shown(await apps.getById(params['id'] ?? ''))),
    post(`${ROOM}/:id/suspend`)
      .needs(administrator)
      .takes(Reason)
      .gives(200, AppShape)
      .says('Refuses an app everywhere within a second: sign-in, tokens, refresh, introspection.')
      .does(async ({ caller, params, input }) =>
        shown(await apps.suspend(caller.caller, (await apps.getById(params['id'] ?? '')).clientId, input.reason)),
      ),
    post(`${ROOM}/:id/resume`)
      .needs(administrator)
      .gives(200, AppShape)
      .says('Lets a suspended app work again.')
      .does(async ({ caller, params }) =>
        shown(await apps.resume(caller.caller, (await apps.getById(params['id'] ?? '')).clientId)),
      ),
    post(`${ROOM}/:id/verify`)
      .needs(administrator)
      .takes(Seen)
      .gives(200, AppShape)
      .says('Verifies an app whose domain was proven, as it was when it was read.')
      .does(async ({ caller, params, input }) =>
        shown(await publishers.verify(caller.caller, params['id'] ?? '', { updatedAt: Date.parse(input.updated_at) })),
      ),
    post(`${ROOM}/:id/decline`)
      .needs(administrator)
      .takes(Declined)
      .gives(200, AppShape)
      .says('Does not verify an app, or no longer; its developer reads the reason.')
      .does(async ({ caller, params, input: { updated_at: seen, reason: why } }) =>
        shown(
          await publishers.decline(caller.caller, params['id'] ?? '', { updatedAt: Date.parse(seen), reason: why }),
        ),
      ),
  ]
}
