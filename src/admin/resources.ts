/**
 * Administrators' pages, resources that developers bring: by state, those that wait first, each with the decision about it.
 *
 *   GET  /admin/resources   ?state=          POST /admin/resources/:id/allow · refuse
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { DeveloperResource, DeveloperResources } from '../apps/resources.ts'
import { hasCode } from '../errors.ts'
import { type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import { callerOf } from './apps.ts'
import type { Administrator, AdminRoom } from './room.ts'

interface AdminResourceParts<A extends Administrator> extends AdminRoom<A> {
  readonly resources: Pick<DeveloperResources, 'list' | 'decide'>
  readonly findAccount: (id: string) => Promise<Account | undefined>
}

const HOME = '/admin/resources'
const PAGE_SIZE = 50
const state = z.enum(['waiting', 'live', 'unproven', 'refused']).catch('waiting').default('waiting')
const Listed = z.object({
  state,
  cursor: z.string().max(500).optional(),
  done: z.enum(['decided', 'refused']).optional().catch(undefined),
})
const Decision = z.object({ state, reason: z.string().trim().max(1000).default('') })

export function createAdminResources<A extends Administrator>(parts: AdminResourceParts<A>): readonly Route[] {
  const { access, resources } = parts
  const deciding =
    (allow: boolean): Handler<z.infer<typeof Decision>, A, unknown> =>
    async ({ caller, params, input, request }) => {
      const to = (done: string): Answer => ({ kind: 'redirect', location: `${HOME}?state=${input.state}&done=${done}` })
      if (!allow && input.reason === '') return to('refused')
      try {
        const decision = allow ? ({ allow } as const) : ({ allow, reason: input.reason } as const)
        await resources.decide(callerOf(caller, request), params['id'] ?? '', decision)
      } catch (error) {
        if (!hasCode(error, 'invalid_request')) throw error
        return to('refused')
      }
      return to('decided')
    }
  return [
    get(HOME).needs(access.page).takes(Listed).does(list(parts)),
    post(`${HOME}/:id/allow`).needs(access.form).takes(Decision).does(deciding(true)),
    post(`${HOME}/:id/refuse`).needs(access.form).takes(Decision).does(deciding(false)),
  ]
}

function list<A extends Administrator>({
  resources,
  draw,
  findAccount,
}: AdminResourceParts<A>): Handler<z.infer<typeof Listed>, A, unknown> {
  return async ({ caller, input: { state: sought, cursor, done } }) => {
    const page = await resources.list({ state: sought, limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) })
    const shown = async ({ id, identifier, name, state: now, ownerId, refusedBecause }: DeveloperResource) => {
      const owner = await findAccount(ownerId)
      return {
        id,
        identifier,
        name,
        state: now,
        ...(owner ? { owner: owner.email } : {}),
        ...(refusedBecause ? { refusedBecause } : {}),
      }
    }
    return draw('admin/resources', caller, {
      state: sought,
      rows: await Promise.all(page.items.map(shown)),
      isFirstPage: cursor === undefined,
      ...(page.nextCursor
        ? { nextUrl: `${HOME}?${new URLSearchParams({ state: sought, cursor: page.nextCursor })}` }
        : {}),
      ...(done ? { done } : {}),
    })
  }
}
