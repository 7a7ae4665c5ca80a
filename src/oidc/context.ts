/**
 * Our version of the library's per-request context. It builds every URL from the issuer, never from `Host` (threats.md HD1, CA3); translates our
 * form fields to the library's; finds the registered resource behind any spelling; and gives requests without `scope` their default.
 */
import { decodeJwt } from 'jose'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { ShimName, Shims } from '../shims.ts'
import { findOversized } from './caps.ts'
import type { Clients } from './clients.ts'
import { onlyPrefill } from './device.ts'
import { noteMended } from './mending.ts'
import { keepFace } from './plan.ts'
import { spellingShims } from './resource-spelling.ts'
import { canonical, IDENTITY_SCOPES, type Resources, SCOPE_BY_DEFAULT } from './resources.ts'
import type { Resource } from './settings.ts'
import { carryStepUp } from './step-up.ts'
import { servedOrRefused } from './work.ts'
import { type Workloads, withinWorkload } from './workloads.ts'

type Fields = Record<string, unknown>

const asked = new WeakMap<object, string>()

/**
 * The `scope` a request came with, before the library dropped anything from it. A pushed request came with what was pushed; what stands
 * beside it in the query counts for nothing (RFC 9126 §4, threats.md AZ7).
 */
function askedScope({ params = {}, entities }: KoaContextWithOIDC['oidc']): string[] {
  const pushed = (entities as { PushedAuthorizationRequest?: { request: string } }).PushedAuthorizationRequest
  const scope = pushed ? String(decodeJwt(pushed.request)['scope'] ?? '') : asked.get(params)
  return scope?.split(' ').filter(Boolean) ?? []
}

/** Gives `provider` contexts of our kind. */
export function replaceContext(
  provider: Provider,
  { resources, shims, workloads }: { resources: Resources; shims: Shims; workloads: Workloads },
): void {
  const Library = provider.OIDCContext as unknown as new (ctx: unknown) => { ctx: KoaContextWithOIDC; route: string }
  const { issuer } = provider

  class Context extends Library {
    #body: Fields | undefined
    #params: Fields | undefined

    get body(): Fields | undefined {
      return this.#body
    }
    set body(fields: Fields | undefined) {
      this.#body = fields && translated(fields)
    }

    get params(): Fields | undefined {
      return this.#params
    }
    set params(params: Fields | undefined) {
      if (params) {
        if (PROGRAM_ROUTES.has(this.route)) refuseOversized(params)
        if (this.route === 'code_verification' && this.ctx.method === 'GET') onlyPrefill(this.ctx, params)
        asked.set(params, String(params['scope'] ?? ''))
        carryStepUp(params, this.route)
        if (params['resource'] !== undefined) spellResources(params, resources, shims)
      }
      this.#params = params
      if (params) workloads.adopt(this.ctx, this.route, params)
    }

    urlFor(name: string, options?: object): string {
      return new URL(provider.pathFor(name, { mountPath: '', ...options } as never), issuer).href
    }

    /** RFC 7523bis: the issuer, as one string; `provider.ts` refuses arrays. */
    clientJwtAuthExpectedAudience(): Set<string> {
      return new Set([issuer])
    }
  }

  Object.defineProperty(provider, 'OIDCContext', { value: Context })
}

/** Our forms say `csrf` and `decision`; the library reads `xsrf`, `confirm` and `abort`. */
function translated(fields: Fields): Fields {
  if (fields['csrf'] === undefined && fields['decision'] === undefined) return fields
  const { csrf, decision, ...rest } = fields
  return {
    ...rest,
    ...(csrf === undefined ? {} : { xsrf: csrf }),
    ...(decision === 'allow' ? { confirm: 'yes' } : {}),
    ...(decision === 'deny' ? { abort: 'yes' } : {}),
  }
}

/** Where programs leave a request that is kept until a person comes; pages are refused earlier, before anything is read. */
const PROGRAM_ROUTES = new Set(['pushed_authorization_request', 'device_authorization'])

function refuseOversized(params: Fields): void {
  const found = findOversized(
    Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => [name, one])),
  )
  if (found) throw new errors.InvalidRequest(found)
}

/** Puts the registered identifier in the place of every spelling of it that is mended; what is not mended stays and is refused later. */
function spellResources(params: Fields, resources: Resources, shims: Shims): void {
  const identifiers = [params['resource']].flat().map((one) => {
    // One that a developer has brought is registered in the canonical spelling and in no other.
    const meant = typeof one === 'string' ? (resources.find(one)?.identifier ?? canonical(one)) : undefined
    const names = meant === undefined ? undefined : spellingShims(one as string, meant)
    if (!names?.every((name) => shims.on(name))) return one
    for (const name of names) noteMended(params, name)
    return meant
  })
  const unique = [...new Set(identifiers)]
  params['resource'] = unique.length === 1 ? unique[0] : unique
}

const ASKING_ROUTES = new Set(['authorization', 'pushed_authorization_request', 'device_authorization'])

/**
 * The library's `getResourceServerInfo`: which scopes this app may have at that resource, and the form of its tokens.
 * Also the first moment when app and resource are both known: a request without `scope` gets its default here, a known scope the app
 * may not ask for is refused (RFC 6749 §3.3), an unknown one is ignored.
 */
export function createResourceLookup(resources: Resources, clients: Clients, shims: Shims) {
  return async (ctx: KoaContextWithOIDC, identifier: string, client: { clientId: string }) => {
    const [resource, app] = await Promise.all([
      servedOrRefused(() => resources.look(identifier)),
      clients.app(client.clientId),
    ])
    if (resource?.identifier !== identifier || !app) throw new errors.InvalidTarget()
    const allowed = withinWorkload(ctx, resources.allowed(app, resource))
    const { route, params } = ctx.oidc
    if (params && ASKING_ROUTES.has(route)) keepFace(params, app)
    if (params && (ASKING_ROUTES.has(route) || params['grant_type'] === 'client_credentials')) {
      params['scope'] = settleScope(resources, shims, { params, wanted: askedScope(ctx.oidc), app, resource, allowed })
    }
    return {
      audience: resource.identifier,
      scope: [...IDENTITY_SCOPES, ...allowed].join(' '),
      accessTokenFormat: 'jwt' as const,
      accessTokenTTL: resource.accessTokenSeconds,
      jwt: { sign: { alg: resource.algorithm } },
    }
  }
}

/** What earlier resources of the same request added by default. */
const defaults = new WeakMap<object, readonly string[]>()

interface ScopeRequest {
  readonly params: Fields
  readonly wanted: readonly string[]
  readonly app: App
  readonly resource: Resource
  readonly allowed: readonly string[]
}

function settleScope(resources: Resources, shims: Shims, request: ScopeRequest): string {
  const { params, app, resource, allowed } = request
  const mend = (name: ShimName): void => {
    if (!shims.on(name)) throw new errors.InvalidScope(`the request depends on what is not mended here: ${name}`, '')
    noteMended(params, name)
  }
  const machine = params['grant_type'] === 'client_credentials'
  const wanted = request.wanted.filter((scope) => !(machine && IDENTITY_SCOPES.includes(scope)))
  const known = wanted.filter((scope) => resources.rule(scope))
  const refused = known.find((scope) => resource.scopes.includes(scope) && !allowed.includes(scope))
  if (refused) throw new errors.InvalidScope('requested scope is not allowed', refused)
  const foreign = machine ? known.find((scope) => !resource.scopes.includes(scope)) : undefined
  if (foreign) throw new errors.InvalidScope('requested scope does not belong to this resource', foreign)
  const identity = wanted.filter((scope) => IDENTITY_SCOPES.includes(scope))
  if (wanted.length > known.length + identity.length) mend('scope_unknown')
  if (known.length > 0) return wanted.join(' ')
  const hasOwn = allowed.some((scope) => app.scopes.includes(scope))
  if (!hasOwn && !shims.on('scope_missing') && identity.length > 0) return identity.join(' ')
  if (!hasOwn) mend('scope_missing')
  const standard = [
    ...(defaults.get(params) ?? []),
    ...resources.standardScopes(app, resource).filter((scope) => !machine || allowed.includes(scope)),
  ]
  defaults.set(params, standard)
  params[SCOPE_BY_DEFAULT] = 'yes'
  return [...new Set([...identity, ...standard])].join(' ')
}
