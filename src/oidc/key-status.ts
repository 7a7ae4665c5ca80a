/**
 * Introspection (RFC 7662) of API keys and personal access tokens. Only a resource server learns anything, and only about a key that holds a scope
 * of its own resource; for everybody else, and for every key that does not work, the answer is `{"active": false}`.
 */
import { isIP } from 'node:net'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { type Allowed, endOf } from '../keys/check.ts'
import type { Clients } from './clients.ts'
import type { KeySource } from './key-source.ts'
import type { Resources } from './resources.ts'
import type { Resource } from './settings.ts'
import { workOf } from './work.ts'

interface KeyStatusParts {
  readonly issuer: string
  readonly keys: KeySource
  readonly clients: Clients
  readonly resources: Resources
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
}

/** Answers introspection of keys after the library has authenticated the caller and found nothing of its own. */
export function createKeyStatus({ issuer, keys, clients, resources, factsOf }: KeyStatusParts) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { route, client, params } = ctx.oidc
    const token = String(params?.['token'] ?? '')
    if (route !== 'introspection' || !client || ctx.status !== 200 || !keys.isKey(token)) return
    ctx.body = { active: false }
    const caller = await clients.app(client.clientId)
    const resource = caller?.resourceServer === undefined ? undefined : await resources.look(caller.resourceServer)
    if (!resource) return
    const { ip, userAgent } = factsOf(ctx.req)
    const verdict = await keys.check(token, {
      ip: callerAddress(ctx) ?? ip,
      userAgent,
      request: 'POST /introspect',
      audience: resource.identifier,
      mustHoldSome: true,
    })
    if (!verdict.allowed) workOf(ctx).errorRef = verdict.errorRef
    else ctx.body = introspected(issuer, resource, verdict)
  }
}

/** `client_ip`: where the resource server got the key from, for keys that work in some networks only. An operator vouches for resource servers. */
function callerAddress(ctx: KoaContextWithOIDC): string | undefined {
  const given = ctx.oidc.body?.['client_ip']
  return typeof given === 'string' && isIP(given) > 0 ? given : undefined
}

function introspected(issuer: string, { identifier }: Resource, allowed: Allowed): Record<string, unknown> {
  const { key, owner, scopes, credential } = allowed
  return {
    active: true,
    iss: issuer,
    sub: owner.id,
    aud: identifier,
    client_id: credential,
    scope: scopes.join(' '),
    iat: Math.floor(key.createdAt / 1000),
    exp: Math.floor(endOf(allowed) / 1000),
    token_type: 'Bearer',
    credential_type: key.kind,
    act: { sub: credential },
  }
}
