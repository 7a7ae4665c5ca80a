/**
 * The documents at fixed addresses, served from memory with an entity tag: discovery in both forms (RFC 8414 and OpenID Connect), the published keys,
 * the protected-resource metadata of our own API (RFC 9728), security.txt (RFC 9116) and the change-password address.
 */
import { createHash } from 'node:crypto'
import type { Document } from '../http/documents.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import type { Caller } from '../observability/audit.ts'

interface WellKnownParts {
  readonly issuer: string
  readonly published: () => { readonly discovery: Document; readonly jwks: Document }
  readonly resource: { readonly identifier: string; readonly name: string; readonly scopes: readonly string[] }
  readonly supportUrl?: string
  /** Milliseconds since 1970 of the start: security.txt must say when it expires. */
  readonly startedAt: number
  readonly anyone: AccessRule<Caller>
}

const YEAR_MS = 365 * 86_400_000

export function createWellKnown(parts: WellKnownParts): readonly Route[] {
  const { issuer, published, anyone } = parts
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  const serve = (at: string, document: () => Document): Route =>
    get(at).needs(anyone).as('api').forEveryOrigin().publishes(document)
  const discovery = () => published().discovery
  const resource = resourceDocument(parts)
  // An issuer with a path has its path inserted (RFC 8414 §3.1) as well as appended (OpenID Connect Discovery §4).
  const insertions =
    path === '' ? [] : [`/.well-known/oauth-authorization-server${path}`, `/.well-known/openid-configuration${path}`]
  return [
    serve('/.well-known/openid-configuration', discovery),
    serve('/.well-known/oauth-authorization-server', discovery),
    ...insertions.map((at) => serve(at, discovery)),
    serve('/.well-known/jwks.json', () => published().jwks),
    serve('/.well-known/oauth-protected-resource/api/v1', () => resource),
    get('/.well-known/change-password')
      .needs(anyone)
      .does(() => ({ kind: 'redirect', location: '/settings/security' })),
    get('/.well-known/security.txt')
      .needs(anyone)
      .does(() => ({ kind: 'text', type: 'text/plain; charset=utf-8', body: securityText(parts) })),
  ]
}

function resourceDocument({ issuer, resource }: WellKnownParts): Document {
  const body = Buffer.from(
    JSON.stringify({
      resource: resource.identifier,
      resource_name: resource.name,
      authorization_servers: [issuer],
      scopes_supported: resource.scopes,
      bearer_methods_supported: ['header'],
    }),
  )
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { body, etag, contentType: 'application/json; charset=utf-8' }
}

function securityText({ issuer, supportUrl, startedAt }: WellKnownParts): string {
  const expires = new Date(startedAt + YEAR_MS).toISOString()
  return [
    `Contact: ${supportUrl ?? issuer}`,
    `Expires: ${expires}`,
    `Canonical: ${issuer}/.well-known/security.txt`,
    '',
  ].join('\n')
}
