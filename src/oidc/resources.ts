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
  /** The resource an identifier means, however it is spelled: one of the configuration, or one that was looked up lately; else undefined. */
  find(identifier: string): Resource | undefined
  /** The same, and those that developers have brought; each is asked for at most once a second. Those of the configuration win and cost nothing. */
  look(identifier: string): Promise<Resource | undefined>
  rule(scope: string): ScopeRule | undefined
  /** Scopes of `resource` that `app` may ask for: its registered ones (the resource's defaults if it registered none there), none reserved for first parties unless it is one. */
  allowed(app: App, resource: Resource): readonly string[]
  /** What a request without `scope` gets: the app's registered scopes that the resource owns, else the resource's default scopes. */
  standardScopes(app: App, resource: Resource): readonly string[]
}

/** A resource that its developer has brought and proven; its identifier is spelled as `canonical` spells it. */
interface Brought {
  readonly identifier: string
  readonly scopes: readonly string[]
  readonly defaultScopes: readonly string[]
}

export interface BroughtResources {
  findLive(identifier: string): Promise<Brought | undefined>
}

interface ResourceParts extends Pick<OidcSettings, 'resources' | 'scopes'> {
  readonly brought: BroughtResources
  readonly now: () => number
}

const LONGEST_BROUGHT = 300
const REMEMBER_MS = 1000
const REMEMBER_AT_MOST = 10_000

export function createResources({ resources, scopes, brought, now }: ResourceParts): Resources {
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
      if (app.trial?.scopes && !app.trial.scopes.includes(scope)) return false
      if (rule.access === 'admin') return app.firstParty && app.type !== 'service'
      return rule.thirdParty || app.firstParty
    })
  }

  const remembered = new Map<string, { readonly until: number; readonly resource: Resource | undefined }>()
  /** People read its host: what its developer calls it proves nothing. */
  const asResource = (found: Brought): Resource => ({
    ...found,
    name: URL.parse(found.identifier)?.host ?? found.identifier,
    accessTokenSeconds: standard.accessTokenSeconds,
    algorithm: standard.algorithm,
    claims: {},
  })
  const look: Resources['look'] = async (identifier) => {
    const id = canonical(identifier)
    const configured = byCanonical.get(id)
    if (configured || identifier.length > LONGEST_BROUGHT) return configured
    const known = remembered.get(id)
    if (known && known.until > now()) return known.resource
    const found = await brought.findLive(id)
    const resource = found && asResource(found)
    if (remembered.size >= REMEMBER_AT_MOST) remembered.clear()
    remembered.set(id, { until: now() + REMEMBER_MS, resource })
    return resource
  }

  return {
    standard,
    all: resources,
    find: (identifier) => byCanonical.get(canonical(identifier)) ?? remembered.get(canonical(identifier))?.resource,
    look,
    rule: (scope) => rules.get(scope),
    allowed,
    standardScopes(app, resource) {
      const own = allowed(app, resource).filter((scope) => app.scopes.includes(scope))
      return own.length > 0 ? own : resource.defaultScopes.filter((scope) => app.trial?.scopes?.includes(scope) ?? true)
    },
  }
}

/** Lower-case scheme and host, no default port, no trailing slash (MCP "Canonical Server URI"). Not a URL: unchanged. */
export function canonical(identifier: string): string {
  const url = URL.parse(identifier)
  if (!url || url.hash) return identifier
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}${url.search}`
}
