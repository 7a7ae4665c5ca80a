/**
 * What a developer copies to their resource: its protected-resource metadata (RFC 9728 §2) and where it is served (§3.1). And a resource as the API
 * shows it: names of the wire, times as ISO 8601.
 */
import type { Challenge } from './domain-proof.ts'
import type { DeveloperResource } from './resources.ts'

export interface ResourceMetadata {
  readonly url: string
  readonly document: {
    readonly resource: string
    readonly resource_name: string
    readonly authorization_servers: readonly string[]
    readonly scopes_supported: readonly string[]
    readonly bearer_methods_supported: readonly ['header']
  }
}

/** The well-known part stands between the host and the path of the identifier. */
export function resourceMetadata(
  { identifier, name, scopes }: Pick<DeveloperResource, 'identifier' | 'name' | 'scopes'>,
  issuer: string,
): ResourceMetadata {
  const { origin, pathname } = new URL(identifier)
  return {
    url: `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`,
    document: {
      resource: identifier,
      resource_name: name,
      authorization_servers: [issuer],
      scopes_supported: scopes,
      bearer_methods_supported: ['header'],
    },
  }
}

export function describeResource(
  resource: DeveloperResource,
  { issuer, challenge }: { issuer: string; challenge: Challenge },
) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString()
  const { id, identifier, name, scopes, defaultScopes, state, proven, refusedBecause, ownerId } = resource
  return {
    id,
    identifier,
    name,
    scopes,
    default_scopes: defaultScopes,
    state,
    proven: proven ? { by: proven.by, at: at(proven.at) } : null,
    refused_reason: refusedBecause ?? null,
    owner: ownerId,
    challenge,
    metadata: resourceMetadata(resource, issuer),
    created_at: at(resource.createdAt),
    updated_at: at(resource.updatedAt),
  }
}
