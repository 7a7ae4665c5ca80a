/**
 * The apps an account has registered: `/api/v1/apps`. What an operator decides about an app (first-party, resource server, metadata, suspension) cannot
 * be said here. Making an app and a new secret for one needs a recent interactive sign-in; a key changes no app.
 */
import { z } from 'zod'
import type { App } from '../apps/app.ts'
import { describeApp } from '../apps/app.ts'
import type { Apps, IssuedApp } from '../apps/apps.ts'
import { getOwnApp, refuseMoreApps } from '../apps/ownership.ts'
import type { Publishers } from '../apps/publishers.ts'
import type { AppChange } from '../apps/records.ts'
import { type Answer, del, get, patch, post, type Route } from '../http/route.ts'
import type { Store } from '../storage/store.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { ownerOf, shownRecord } from './own.ts'
import { Activity, App as AppShape, Challenge, IssuedApp as IssuedAppShape, pageOf } from './shapes.ts'

export interface ProofParts {
  readonly publishers: Pick<Publishers, 'challenge' | 'prove'>
  /** Refuses when this account has let us look too often. */
  readonly limitProof: (accountId: string) => Promise<unknown>
}

interface AppParts extends ProofParts {
  readonly credentials: Credentials
  readonly apps: Pick<Apps, 'create' | 'find' | 'list' | 'change' | 'remove'>
  readonly store: Pick<Store, 'read'>
  readonly now: () => number
}

const uri = z.string().max(2048)
const uris = z.array(uri).max(50)
const scopes = z.array(z.string().max(100)).max(200)
const NewAppBody = z.strictObject({
  name: z.string().max(1000),
  type: z.enum(['web', 'spa', 'native', 'device', 'service']),
  auth: z.enum(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']).optional(),
  redirect_uris: uris.optional(),
  post_logout_redirect_uris: uris.optional(),
  scopes: scopes.optional(),
  optional_scopes: scopes.optional(),
  dpop: z.boolean().optional(),
  agent: z.boolean().optional(),
  id_token_signed_response_alg: z.enum(['ES256', 'RS256']).optional(),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})).max(20) }).optional(),
  jwks_uri: uri.optional(),
  backchannel_logout_uri: uri.optional(),
  client_uri: uri.optional(),
  logo_uri: uri.optional(),
  policy_uri: uri.optional(),
  tos_uri: uri.optional(),
  description: z.string().max(1000).optional(),
  testers: z.array(z.string().max(500)).max(200).optional(),
})
const { type: _type, auth: _auth, ...changeable } = NewAppBody.shape
/** `null` takes away what an app need not have. */
const ChangeBody = z.strictObject(changeable).extend({
  name: changeable.name.optional(),
  jwks: changeable.jwks.nullable(),
  jwks_uri: changeable.jwks_uri.nullable(),
  backchannel_logout_uri: changeable.backchannel_logout_uri.nullable(),
  client_uri: changeable.client_uri.nullable(),
  logo_uri: changeable.logo_uri.nullable(),
  policy_uri: changeable.policy_uri.nullable(),
  tos_uri: changeable.tos_uri.nullable(),
  description: changeable.description.nullable(),
  testers: changeable.testers.nullable(),
})
const Domain = z.object({ domain: z.string().max(300) })
const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export function createAppRoutes({ credentials, apps, publishers, limitProof, store, now }: AppParts): readonly Route[] {
  const read = credentials.bearer('api:read')
  const getOwned = (caller: ApiCaller, clientId = ''): Promise<App> => getOwnApp(apps, ownerOf(caller), clientId)
  const shown = (app: App) => describeApp(app, now())
  const issued = ({ app, clientSecret }: IssuedApp): Answer => {
    const { client_id, ...rest } = shown(app)
    const secret = clientSecret === undefined ? {} : { client_secret: clientSecret }
    return { kind: 'json', status: 201, body: { client_id, ...secret, ...rest } }
  }
  return [
    get('/api/v1/apps')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(AppShape))
      .says('The apps you have registered, newest first.')
      .does(async ({ caller, input: { cursor, limit } }) => {
        const paging = { limit, ...(cursor === undefined ? {} : { cursor }) }
        const { items, nextCursor } = await apps.list({ ownerId: ownerOf(caller), ...paging })
        return json({ items: items.map(shown), next_cursor: nextCursor ?? null })
      }),
    post('/api/v1/apps')
      .needs(credentials.recent('api:write'))
      .takes(NewAppBody)
      .gives(201, IssuedAppShape)
      .says('Registers an app; `client_secret` stands in this answer only.')
      .does(async ({ caller, input }) => {
        const ownerId = ownerOf(caller)
        await refuseMoreApps(apps, { id: ownerId, emailVerified: caller.account?.emailVerified === true })
        return issued(await apps.create(caller.caller, { ...named(input), ownerId } as Parameters<Apps['create']>[1]))
      }),
    get('/api/v1/apps/:id')
      .needs(read)
      .gives(200, AppShape)
      .says('One app of yours.')
      .does(async ({ caller, params }) => json(shown(await getOwned(caller, params['id'])))),
    get('/api/v1/apps/:id/activity')
      .needs(read)
      .takes(Page)
      .gives(200, pageOf(Activity))
      .says('What an app of yours did by itself, newest first; the same again within 15 minutes is not repeated.')
      .does(async ({ caller, params, input: { cursor, limit } }) => {
        const { clientId } = await getOwned(caller, params['id'])
        const page = await store.read(clientId, { limit, ...(cursor === undefined ? {} : { cursor }) })
        return json({ items: page.items.map(shownRecord), next_cursor: page.nextCursor ?? null })
      }),
    patch('/api/v1/apps/:id')
      .needs(credentials.personal('api:write'))
      .takes(ChangeBody)
      .gives(200, AppShape)
      .says('Changes an app of yours.')
      .does(async ({ caller, params, input }) => {
        const { clientId } = await getOwned(caller, params['id'])
        return json(shown(await apps.change(caller.caller, clientId, named(input) as AppChange)))
      }),
    del('/api/v1/apps/:id')
      .needs(credentials.personal('api:write'))
      .gives(204)
      .says('Removes an app of yours with everything it holds, at once.')
      .does(async ({ caller, params }) => {
        await apps.remove(caller.caller, (await getOwned(caller, params['id'])).clientId)
        return { kind: 'empty', status: 204 }
      }),
    get('/api/v1/apps/:id/publisher')
      .needs(read)
      .takes(Domain)
      .gives(200, Challenge)
      .says('What to publish at a domain, as a TXT record or as a file, to show that an app of yours belongs to it.')
      .does(async ({ caller, params, input }) =>
        json(publishers.challenge(await getOwned(caller, params['id']), input.domain)),
      ),
    post('/api/v1/apps/:id/publisher')
      .needs(credentials.personal('api:write'))
      .takes(Domain)
      .gives(200, AppShape)
      .says('Looks whether it is published, and then asks an operator to verify the app.')
      .does(async ({ caller, params, input }) => {
        const app = await getOwned(caller, params['id'])
        await limitProof(ownerOf(caller))
        return json(shown(await publishers.prove(caller.caller, app, input.domain)))
      }),
  ]
}

const json = (body: unknown): Answer => ({ kind: 'json', body })

/** `redirect_uris` is `redirectUris` inside; what was not given is not there. */
function named(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const inside = (name: string) => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[inside(name), value]])),
  )
}
