/**
 * Settings, allowing a key or token more than today: said outright by somebody who has just signed in, and ticked. Belongs to the table of `keys.ts`.
 *
 *   GET  /:id/widen   what it could be allowed besides       POST /:id/widen   `confirm` = `yes`, and it holds
 */
import { z } from 'zod'
import type { KeyProblem } from '../http/key-views.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import type { UsedKey } from '../keys/describe.ts'
import type { KeyChange } from '../keys/records.ts'
import { linesOf, offeredTo, problemsOf, scopeShown } from './key-form.ts'
import { type Does, getKey, type Room } from './key-room.ts'
import { keyShown } from './key-shown.ts'
import { callerOf, type Person } from './shell.ts'

const WidenFields = z.object({
  scope: z.array(z.string().max(100)).max(100),
  allowed_ips: z.string().max(8000).default(''),
  quota_requests: z.string().max(20).default(''),
  quota_window: z.string().max(20).default(''),
  may_create_children: z.string().max(10).default(''),
  confirm: z.string().max(10).default(''),
})
type WidenFields = z.infer<typeof WidenFields>

export function createWideningPages(room: Room): Route[] {
  const { access, path } = room
  return [
    get(`${path}/:id/widen`)
      .needs(access.recent)
      .does(async ({ caller, params }) => {
        const key = await getKey(room, caller, params['id'])
        return draw(room, caller, key, { typed: typedOf(key), problems: [] })
      }),
    post(`${path}/:id/widen`).needs(access.recentForm).takes(WidenFields).does(widen(room)),
  ]
}

/** The form as it opens: what the key is, and nothing more. */
function typedOf({ allowedIps, quota, mayCreateChildren }: UsedKey): WidenFields {
  return {
    scope: [],
    allowed_ips: allowedIps.join('\n'),
    quota_requests: quota ? String(quota.requests) : '',
    quota_window: String(quota?.windowSeconds ?? 3600),
    may_create_children: mayCreateChildren ? 'yes' : '',
    confirm: '',
  }
}

function draw(
  room: Room,
  person: Person,
  key: UsedKey,
  { typed, problems }: { typed: WidenFields; problems: readonly KeyProblem[] },
): Answer {
  const offered = offeredTo(room.offer, person.account).map(([name]) => name)
  const model = {
    room: room.room,
    path: room.path,
    key: keyShown(room.offer, key),
    further: offered
      .filter((name) => !key.scopes.includes(name))
      .map((name) => ({ ...scopeShown(room.offer, name), isChosen: typed.scope.includes(name) })),
    networks: typed.allowed_ips,
    quotaRequests: typed.quota_requests,
    quotaWindow: typed.quota_window,
    mayCreateChildren: typed.may_create_children === 'yes',
    problems,
  }
  return room.draw('settings/keys-widen', person, model, { here: room.room })
}

/** What differs from the key as it is; numbers that are none stay NaN, for the domain to refuse. */
function changeOf(key: UsedKey, typed: WidenFields): KeyChange {
  const networks = linesOf(typed.allowed_ips)
  const added = typed.scope.filter((scope) => !key.scopes.includes(scope))
  const quota =
    typed.quota_requests === ''
      ? null
      : { requests: Number(typed.quota_requests), windowSeconds: Number(typed.quota_window) }
  const children = typed.may_create_children === 'yes'
  return {
    ...(added.length > 0 ? { scopes: [...key.scopes, ...added] } : {}),
    ...(networks.join() === key.allowedIps.join() ? {} : { allowedIps: networks }),
    ...(JSON.stringify(quota) === JSON.stringify(key.quota ?? null) ? {} : { quota }),
    ...(children === key.mayCreateChildren ? {} : { mayCreateChildren: children }),
  }
}

function widen(room: Room): Does<WidenFields> {
  return async ({ caller: person, params, input, request }) => {
    const key = await getKey(room, person, params['id'])
    if (input.confirm !== 'yes')
      return draw(room, person, key, { typed: input, problems: [{ field: 'confirm', code: 'missing' }] })
    const owned = { ownerId: person.account.id, id: key.id }
    try {
      await room.keys.change(callerOf(person, request), owned, changeOf(key, input), { mayWiden: true })
    } catch (error) {
      return draw(room, person, key, { typed: input, problems: problemsOf(error, linesOf(input.allowed_ips)) })
    }
    return { kind: 'redirect', location: `${room.path}/${key.id}?done=widened` }
  }
}
