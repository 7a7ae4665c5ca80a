/**
 * Resources that developers bring, MCP servers above all: `/api/v1/resources`, and an operator's decision about them below `/api/v1/admin`. Each shows
 * what to publish to prove its host, and the protected-resource metadata to serve (RFC 9728). Those of somebody else are not there.
 */
import { z } from 'zod'
import { describeResource } from '../apps/resource-metadata.ts'
import type { DeveloperResource, DeveloperResources, ResourcePage, WantedResource } from '../apps/resources.ts'
import { type Answer, del, get, patch, post, type Route } from '../http/route.ts'
import type { ProofParts } from './apps.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { ownerOf } from './own.ts'
import { pageOf, Resource as ResourceShape } from './shapes.ts'

interface ResourceParts extends Pick<ProofParts, 'limitProof'> {
  readonly credentials: Credentials
  readonly resources: DeveloperResources
  readonly issuer: string
}

const scopes = z.array(z.string().max(100)).max(50)
const NewBody = z.strictObject({
  name: z.string().max(1000),
  identifier: z.string().max(1000),
  scopes,
  default_scopes: scopes.optional(),
})
const ChangeBody = NewBody.omit({ identifier: true }).partial()
const Page = z.object({
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
const Queue = Page.extend({ state: z.enum(['unproven', 'waiting', 'live', 'refused']).default('waiting') })

export function createResourceRoutes(parts: ResourceParts): readonly Route[] {
  const { credentials, resources, limitProof } = parts
  const { shown, listed } = showing(parts)
  const getOwned = (caller: ApiCaller, id = '') => resources.getOwned(ownerOf(caller), id)
  const room = '/api/v1/resources'
  return [
    get(room)
      .needs(credentials.bearer('api:read'))
      .takes(Page)
      .gives(200, pageOf(ResourceShape))
      .says('The resources you have registered, newest first.')
      .does(async ({ caller, input }) => listed(await resources.list({ ownerId: ownerOf(caller), ...paging(input) }))),
    post(room)
      .needs(credentials.recent('api:write'))
      .takes(NewBody)
      .gives(201, ResourceShape)
      .says('Registers a resource; tokens are made for it once you have proven its host.')
      .does(async ({ caller, input }) =>
        shown(await resources.create(caller.caller, ownerOf(caller), requiredOf(input)), 201),
      ),
    get(`${room}/:id`)
      .needs(credentials.bearer('api:read'))
      .gives(200, ResourceShape)
      .says('One resource of yours, with what to publish and the metadata to serve.')
      .does(async ({ caller, params }) => shown(await getOwned(caller, params['id']))),
    patch(`${room}/:id`)
      .needs(credentials.personal('api:write'))
      .takes(ChangeBody)
      .gives(200, ResourceShape)
      .says('Changes name or scopes of a resource of yours; its identifier stays.')
      .does(async ({ caller, params, input }) =>
        shown(await resources.change(caller.caller, await getOwned(caller, params['id']), named(input))),
      ),
    del(`${room}/:id`)
      .needs(credentials.personal('api:write'))
      .gives(204)
      .says('Removes a resource of yours; no further token is made for it.')
      .does(async ({ caller, params }) => {
        await resources.remove(caller.caller, await getOwned(caller, params['id']))
        return { kind: 'empty', status: 204 }
      }),
    post(`${room}/:id/prove`)
      .needs(credentials.personal('api:write'))
      .gives(200, ResourceShape)
      .says('Looks whether the proof is published.')
      .does(async ({ caller, params }) => {
        const resource = await getOwned(caller, params['id'])
        await limitProof(ownerOf(caller))
        return shown(await resources.prove(caller.caller, resource))
      }),
  ]
}

/** An operator's side. */
export function createAdminResourceRoutes(parts: ResourceParts): readonly Route[] {
  const { credentials, resources } = parts
  const { shown, listed } = showing(parts)
  const administrator = credentials.administrator()
  const room = '/api/v1/admin/resources'
  return [
    get(room)
      .needs(administrator)
      .takes(Queue)
      .gives(200, pageOf(ResourceShape))
      .says('Resources of developers in one state, newest first; those that wait for a decision unless said otherwise.')
      .does(async ({ input }) => listed(await resources.list({ state: input.state, ...paging(input) }))),
    post(`${room}/:id/allow`)
      .needs(administrator)
      .gives(200, ResourceShape)
      .says('Lets tokens be made for a resource whose host was proven.')
      .does(async ({ caller, params }) =>
        shown(await resources.decide(caller.caller, params['id'] ?? '', { allow: true })),
      ),
    post(`${room}/:id/refuse`)
      .needs(administrator)
      .takes(z.strictObject({ reason: z.string().max(1000) }))
      .gives(200, ResourceShape)
      .says('No further token is made for it, and nobody can bring it again.')
      .does(async ({ caller, params, input }) =>
        shown(await resources.decide(caller.caller, params['id'] ?? '', { allow: false, reason: input.reason })),
      ),
  ]
}

function showing({ resources, issuer }: ResourceParts) {
  const describe = (resource: DeveloperResource) =>
    describeResource(resource, { issuer, challenge: resources.challenge(resource) })
  return {
    shown: (resource: DeveloperResource, status = 200): Answer => ({ kind: 'json', status, body: describe(resource) }),
    listed: ({ items, nextCursor }: ResourcePage): Answer => ({
      kind: 'json',
      body: { items: items.map(describe), next_cursor: nextCursor ?? null },
    }),
  }
}

const paging = ({ cursor, limit }: z.infer<typeof Page>) => ({ limit, ...(cursor ? { cursor } : {}) })

function requiredOf({
  name,
  identifier,
  scopes: owned,
  default_scopes: standard = [],
}: z.infer<typeof NewBody>): WantedResource {
  return { name, identifier, scopes: owned, defaultScopes: standard }
}

function named({ name, scopes: owned, default_scopes: standard }: z.infer<typeof ChangeBody>) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(owned === undefined ? {} : { scopes: owned }),
    ...(standard === undefined ? {} : { defaultScopes: standard }),
  }
}
