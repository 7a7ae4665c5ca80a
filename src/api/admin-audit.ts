/**
 * The audit in the hands of an operator: `/api/v1/admin/audit`. What happened to one account, with who did it and why; and the 16 hash-chained logs
 * as they stand, for archives and for checking the chain elsewhere.
 */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import { AuditEntry, AuditLink } from './admin-shapes.ts'
import type { ApiCaller } from './caller.ts'
import { listed, Page, paging, type Recorded, shownRecord } from './own.ts'
import { pageOf } from './shapes.ts'

interface AdminAuditParts {
  readonly administrator: AccessRule<ApiCaller>
  readonly store: Pick<Store, 'read' | 'readLog'>
}

const ROOM = '/api/v1/admin/audit'
const LOGS = 16

const OfAccount = z.object({ ...Page.shape, account: z.string().min(1).max(200) })
const OfLog = z.object({
  cursor: z.string().max(20).regex(/^\d+$/).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
})

export function createAdminAuditRoutes({ administrator, store }: AdminAuditParts): readonly Route[] {
  return [
    get(ROOM)
      .needs(administrator)
      .takes(OfAccount)
      .gives(200, pageOf(AuditEntry))
      .says(
        'What happened to an account, newest first, with who did it and why; also of an app’s id, `system` or `anonymous`.',
      )
      .does(async ({ input }) => listed(await store.read(input.account, paging(input)), shownEntry)),
    get(`${ROOM}/logs/:log`)
      .needs(administrator)
      .takes(OfLog)
      .gives(200, pageOf(AuditLink))
      .says(
        'One of the 16 logs, 0 to 15, oldest first, as it is chained: each hash covers the record and the hash before it.',
      )
      .does(async ({ params, input }) => {
        const log = /^\d{1,2}$/.test(params['log'] ?? '') ? Number(params['log']) : LOGS
        if (log >= LOGS) throw new AppError('not_found', 'There is no such log.')
        const items = await store.readLog(log, Number(input.cursor ?? 1), input.limit)
        const last = items.length === input.limit ? items.at(-1) : undefined
        return listed({ items, ...(last ? { nextCursor: String(last.sequence + 1) } : {}) }, (link) => ({ ...link }))
      }),
  ]
}

function shownEntry(entry: LogRecord) {
  const { accountId = '', caller } = entry.record as Recorded
  return {
    ...shownRecord(entry),
    // The owner is not told where an operator sits; an operator is.
    ip: caller?.ip ?? null,
    user_agent: caller?.userAgent ?? null,
    account_id: accountId,
    by: caller ? { kind: caller.kind, id: caller.id ?? null, reason: caller.reason ?? null } : null,
    request_id: caller?.requestId ?? null,
  }
}
