/**
 * API keys and personal access tokens over HTTP: one table of routes for both, `/api/v1/keys` and `/api/v1/tokens`. Making and rotating needs a recent
 * interactive sign-in; an access token makes keys only within its own scopes; a key makes no keys, its own children excepted.
 */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { type AccessRule, type Answer, del, get, patch, post, type Route } from '../http/route.ts'
import { describeIssued, describeKey } from '../keys/describe.ts'
import type { KeyKind } from '../keys/key.ts'
import type { Keys } from '../keys/keys.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { ChangeBody, changeOf, NewKeyBody, RotateKeyBody, wantedOf, wishOf } from './key-bodies.ts'
import { ownerOf } from './own.ts'
import { IssuedKey, Key, pageOf, Usage } from './shapes.ts'
import { periodOf, shownUsage, UsagePeriod } from './usage.ts'
import type { Using } from './using.ts'

interface KeyParts {
  readonly credentials: Credentials
  readonly keys: Keys
  /** The key that a request itself shows. */
  readonly parent: AccessRule<Using>
}

const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  state: z.enum(['active', 'rotating', 'expired', 'revoked']).optional(),
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
  const change = async (
    caller: ApiCaller,
    id: string | undefined,
    body: z.infer<typeof ChangeBody>,
    widening: { mayWiden?: true },
  ): Promise<Answer> => {
    await getKey(caller, id)
    await keys.change(caller.caller, owned(caller, id), changeOf(body), { ...widening, within: caller.scopes })
    return json(describeKey(await getKey(caller, id)))
  }
  return [
    get(path)
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(Key))
      .says(`Your ${name}s, newest first.`)
      .does(async ({ caller, input: { state, ...paging } }) => {
        const states = state && [state]
        const { items, nextCursor } = await keys.list({ ownerId: ownerOf(caller), kind, states, ...paging })
        return json({ items: items.map(describeKey), next_cursor: nextCursor ?? null })
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
      .does(({ caller, params, input }) => change(caller, params['id'], input, {})),
    post(`${path}/:id/widen`)
      .needs(recent)
      .takes(ChangeBody)
      .gives(200, Key)
      .says(
        `Changes a ${name}, also to more than it was: scopes, networks, quota, children. Said outright, by a person who has just signed in.`,
      )
      .does(({ caller, params, input }) => change(caller, params['id'], input, { mayWiden: true })),
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
      .takes(RotateKeyBody)
      .gives(201, IssuedKey)
      .says('A new secret; the old one works until the overlap ends. `expires_in` begins a new life.')
      .does(async ({ caller, params, input }) => {
        await getKey(caller, params['id'])
        const issued = await keys.rotate(caller.caller, owned(caller, params['id']), wishOf(input))
        return { kind: 'json', status: 201, body: describeIssued(issued) }
      }),
    del(`${path}/:id/old-secret`)
      .needs(write)
      .gives(204)
      .says('Ends the old secret of a rotation now.')
      .does(async ({ caller, params }) => {
        await getKey(caller, params['id'])
        await keys.endOverlap(caller.caller, owned(caller, params['id']))
        return { kind: 'empty', status: 204 }
      }),
    get(`${path}/:id/usage`)
      .needs(read)
      .takes(UsagePeriod)
      .gives(200, Usage)
      .says('Calls by day or hour, and the last callers.')
      .does(async ({ caller, params, input }) => {
        await getKey(caller, params['id'])
        return json(shownUsage(await keys.usage(owned(caller, params['id']), periodOf(input))))
      }),
  ]
}

/** What a key itself may do about keys. */
function childRoutes({ keys, parent }: KeyParts): Route[] {
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
  ]
}

const json = (body: unknown): Answer => ({ kind: 'json', body })
