/**
 * The registry of protected resources, and which scopes an app may ask of one (RFC 8707).
 * Clients spell a resource in several ways; here every spelling finds the one registered identifier, which is the audience byte for byte.
 */
import type { App } from '../apps/app.ts'
import type { OidcSettings, Resource, ScopeRule } from './settings.ts'

/** Scopes about the person rather than about a resource (OpenID Connect Core §5.4, §11). */
export const IDENTITY_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

/** A parameter of ours that an interaction carries when its scopes are defaults: no request can set it, for the library takes over known names only. */
export const SCOPE_BY_DEFAULT = 'scope_by_default'

export interface Resources {
  readonly standard: Resource
  readonly all: readonly Resource[]
  /** The resource an identifier means, however it is spelled; undefined when none is registered. */
  find(identifier: string): Resource | undefined
  rule(scope: string): ScopeRule | undefined
  /** Scopes of `resource` that `app` may ask for: its registered ones (the resource's defaults if it registered none there), none reserved for first parties unless it is one. */
  allowed(app: App, resource: Resource): readonly string[]
  /** What a request without `scope` gets: the app's registered scopes that the resource owns, else the resource's default scopes. */
  standardScopes(app: App, resource: Resource): readonly string[]
}

export function createResources({ resources, scopes }: Pick<OidcSettings, 'resources' | 'scopes'>): Resources {
  const [standard] = resources
  if (!standard) throw new TypeError('there is always a default resource')
  const byCanonical = new Map(resources.map((resource) => [canonical(resource.identifier), resource]))
  const rules = new Map(scopes.map((rule) => [rule.name, rule]))

  const allowed: Resources['allowed'] = (app, resource) => {
    const registered = [...app.scopes, ...app.optionalScopes, ...(app.mayAsk ?? [])].filter((scope) =>
      resource.scopes.includes(scope),
    )
    const open = registered.length > 0 ? registered : resource.defaultScopes
    return resource.scopes.filter((scope) => {
      const rule = rules.get(scope)
      if (!rule || !open.includes(scope)) return false
      if (rule.access === 'admin') return app.firstParty && app.type !== 'service'
      return rule.thirdParty || app.firstParty
    })
  }

  return {
    standard,
    all: resources,
    find: (identifier) => byCanonical.get(canonical(identifier)),
    rule: (scope) => rules.get(scope),
    allowed,
    standardScopes(app, resource) {
      const own = allowed(app, resource).filter((scope) => app.scopes.includes(scope))
      return own.length > 0 ? own : resource.defaultScopes
    },
  }
}

/** Lower-case scheme and host, no default port, no trailing slash (MCP "Canonical Server URI"). Not a URL: unchanged. */
export function canonical(identifier: string): string {
  const url = URL.parse(identifier)
  if (!url || url.hash) return identifier
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}${url.search}`
}
