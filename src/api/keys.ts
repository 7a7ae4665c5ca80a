/**
 * API keys and personal access tokens over HTTP: one table of routes for both, `/api/v1/keys` and `/api/v1/tokens`. Making and rotating needs a recent
 * interactive sign-in; an access token makes keys only within its own scopes; a key makes no keys, its own children excepted.
 */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { type AccessRule, type Answer, del, get, patch, post, type Route } from '../http/route.ts'
import { describeIssued, describeKey } from '../keys/describe.ts'
import type { NewKey } from '../keys/fields.ts'
import type { KeyKind } from '../keys/key.ts'
import type { Keys } from '../keys/keys.ts'
import type { Caller } from '../observability/audit.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { ownerOf } from './own.ts'
import { IssuedKey, Key, pageOf, Usage } from './shapes.ts'
import type { Using } from './using.ts'

interface KeyParts {
  readonly credentials: Credentials
  readonly keys: Keys
  /** The key that a request itself shows. */
  readonly parent: AccessRule<Using>
  readonly anyone: AccessRule<Caller>
}

const NewKeyBody = z.strictObject({
  name: z.string().max(1000),
  scopes: z.array(z.string().max(100)).max(200),
  expires_in: z.number().int().positive().optional(),
  not_before: z.iso.datetime({ offset: true }).optional(),
  allowed_ips: z.array(z.string().max(100)).max(200).optional(),
  resource: z.string().max(500).optional(),
  quota: z.strictObject({ requests: z.number().int(), window_seconds: z.number().int() }).optional(),
  call_budget: z.number().int().optional(),
  may_create_children: z.boolean().optional(),
})
const ChangeBody = NewKeyBody.pick({
  name: true,
  scopes: true,
  allowed_ips: true,
  quota: true,
  call_budget: true,
  may_create_children: true,
}).partial()
const RotateBody = z.strictObject({ overlap_seconds: z.number().optional(), quiet_seconds: z.number().optional() })
const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  state: z.enum(['active', 'rotating', 'expired', 'revoked']).optional(),
})
const Period = z.object({
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
  by: z.enum(['day', 'hour']).optional(),
})

export function createKeyRoutes(parts: KeyParts): readonly Route[] {
  return [
    ...routesOf(parts, 'api_key', '/api/v1/keys'),
    ...routesOf(parts, 'personal_access_token', '/api/v1/tokens'),
    ...childRoutes(parts),
  ]
}

function routesOf({ credentials, keys }: KeyParts, kind: KeyKind, path: string): Route[] {
  const read = credentials.bearer('api:read')
  const write = credentials.bearer('api:write')
  const recent = credentials.recent('api:write')
  const owned = (caller: ApiCaller, id = '') => ({ ownerId: ownerOf(caller), id })
  const name = kind === 'api_key' ? 'API key' : 'personal access token'
  /** A key of the other kind is not there. */
  const getKey = async (caller: ApiCaller, id: string | undefined) => {
    const key = await keys.getOwned(owned(caller, id))
    if (key.kind === kind) return key
    throw new AppError('not_found', 'There is no such key.')
  }
  return [
    get(path)
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(Key))
      .says(`Your ${name}s, newest first.`)
      .does(async ({ caller, input: { state, ...paging } }) => {
        const { items, nextCursor } = await keys.list({ ownerId: ownerOf(caller), kind, ...paging } as never)
        return json({
          items: items.filter((key) => !state || key.state === state).map(describeKey),
          next_cursor: nextCursor ?? null,
        })
      }),
    post(path)
      .needs(recent)
      .takes(NewKeyBody)
      .gives(201, IssuedKey)
      .says(`Makes a ${name}; \`key\` stands in this answer only.`)
      .does(async ({ caller, input }) => {
        const issued = await keys.create(
          caller.caller,
          { ownerId: ownerOf(caller), kind, within: caller.scopes },
          wantedOf(input),
        )
        return { kind: 'json', status: 201, body: describeIssued(issued) }
      }),
    get(`${path}/:id`)
      .needs(read)
      .gives(200, Key)
      .says(`One ${name}.`)
      .does(async ({ caller, params }) => json(describeKey(await getKey(caller, params['id'])))),
    patch(`${path}/:id`)
      .needs(credentials.personal('api:write'))
      .takes(ChangeBody)
      .gives(200, Key)
      .says(`Changes a ${name}; it never becomes wider.`)
      .does(async ({ caller, params, input }) => {
        await getKey(caller, params['id'])
        const change = changeOf(input)
        await keys.change(caller.caller, owned(caller, params['id']), change as never, { within: caller.scopes })
        return json(describeKey(await getKey(caller, params['id'])))
      }),
    del(`${path}/:id`)
      .needs(write)
      .gives(204)
      .says(`Revokes a ${name} and everything below it, at once.`)
      .does(async ({ caller, params }) => {
        await getKey(caller, params['id'])
        await keys.revoke(caller.caller, owned(caller, params['id']), 'by its owner')
        return { kind: 'empty', status: 204 }
      }),
    post(`${path}/:id/rotate`)
      .needs(recent)
      .takes(RotateBody)
      .gives(201, IssuedKey)
      .says('A new secret; the old one works until the overlap ends.')
      .does(async ({ caller, params, input }) => {
        await getKey(caller, params['id'])
        const { overlap_seconds: overlapSeconds, quiet_seconds: quietSeconds } = input
        const wish = {
          ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
          ...(quietSeconds === undefined ? {} : { quietSeconds }),
        }
        return {
          kind: 'json',
          status: 201,
          body: describeIssued(await keys.rotate(caller.caller, owned(caller, params['id']), wish)),
        }
      }),
    get(`${path}/:id/usage`)
      .needs(read)
      .takes(Period)
      .gives(200, Usage)
      .says('Calls by day or hour, and the last callers.')
      .does(async ({ caller, params, input }) => {
        await getKey(caller, params['id'])
        const { from, to, by } = input
        const period = {
          ...(from ? { from: Date.parse(from) } : {}),
          ...(to ? { to: Date.parse(to) } : {}),
          ...(by ? { by } : {}),
        }
        return json(shownUsage(await keys.usage(owned(caller, params['id']), period)))
      }),
  ]
}

/** What a key itself may do about keys, and what anybody may who holds one. */
function childRoutes({ keys, parent, anyone }: KeyParts): Route[] {
  return [
    post('/api/v1/keys/:id/children')
      .needs(parent)
      .takes(NewKeyBody)
      .gives(201, IssuedKey)
      .says('A child of the key that asks: fewer scopes, shorter life, narrower network.')
      .does(async ({ caller: { allowed, caller }, params, input }) => {
        if (allowed.key.id !== params['id']) throw new AppError('not_found', 'A key makes children of itself only.')
        return {
          kind: 'json',
          status: 201,
          body: describeIssued(await keys.createChild(caller, allowed, wantedOf(input))),
        }
      }),
    post('/api/v1/leaks')
      .needs(anyone)
      .takes(z.strictObject({ key: z.string().max(1000) }))
      .gives(202, z.strictObject({ received: z.literal(true) }))
      .says('Kills a key that was found somewhere; the answer is the same for every text.')
      .does(async ({ caller, input }) => {
        await keys.reportLeak(caller, input.key)
        return { kind: 'json', status: 202, body: { received: true } }
      }),
    get('/api/v1/key-pattern')
      .needs(anyone)
      .gives(200, z.strictObject({ pattern: z.string() }))
      .says('A regular expression that finds credentials of this server.')
      .does(() => json({ pattern: keys.pattern })),
  ]
}

const json = (body: unknown): Answer => ({ kind: 'json', body })

function wantedOf(body: z.infer<typeof NewKeyBody>): NewKey {
  return {
    name: body.name,
    scopes: body.scopes,
    expiresInSeconds: body.expires_in,
    notBefore: body.not_before === undefined ? undefined : Date.parse(body.not_before),
    allowedIps: body.allowed_ips,
    resource: body.resource,
    quota: body.quota && { requests: body.quota.requests, windowSeconds: body.quota.window_seconds },
    callBudget: body.call_budget,
    mayCreateChildren: body.may_create_children,
  }
}

function changeOf({ name, scopes, allowed_ips, quota, call_budget, may_create_children }: z.infer<typeof ChangeBody>) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(allowed_ips === undefined ? {} : { allowedIps: allowed_ips }),
    ...(quota === undefined ? {} : { quota: { requests: quota.requests, windowSeconds: quota.window_seconds } }),
    ...(call_budget === undefined ? {} : { callBudget: call_budget }),
    ...(may_create_children === undefined ? {} : { mayCreateChildren: may_create_children }),
  }
}

const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString()

function shownUsage({ total, buckets, callers }: Awaited<ReturnType<Keys['usage']>>) {
  return {
    total,
    buckets: buckets.map(({ at, ...counts }) => ({ at: isoTime(at), ...counts })),
    callers: callers.map(({ ip, userAgent, firstAt, lastAt, calls, secret }) => ({
      ip,
      user_agent: userAgent,
      first_at: isoTime(firstAt),
      last_at: isoTime(lastAt),
      calls,
      secret,
    })),
  }
}
