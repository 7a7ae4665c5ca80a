/**
 * The whole configuration: every option of the four topics, the rules between topics, and the typed result `Config`.
 * In the file and the environment names are snake_case; in `Config` the same words in camelCase with the unit in the name
 * (`lifetimes.access_token` → `lifetimes.accessTokenSeconds`). A limit that is off is null; a value that is absent is undefined.
 * Reading and merging belong to `load.ts`, the written reference to `reference.ts`.
 */
import { z } from 'zod'
import { appOptions } from './apps.ts'
import { policyOptions } from './policies.ts'
import { serverOptions } from './server.ts'
import { identityScopes, tokenOptions } from './tokens.ts'

/** What an operator writes: every option under its name in the file. */
export const configSchema = z
  .strictObject({ ...serverOptions, ...policyOptions, ...tokenOptions, ...appOptions })
  .superRefine(checkTogether)

export type Settings = z.output<typeof configSchema>

type Deep<T> = T extends (infer E)[]
  ? readonly Deep<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Deep<T[K]> }
    : T

/** The configuration as the program knows it: complete, checked, frozen. */
export type Config = Deep<{
  mode: Settings['mode']
  /** Without trailing slash. */
  issuer: string
  host: string
  port: number
  storeUrl: string
  storeAssumeDurable: boolean
  /** Absolute. */
  dataDir: string
  /** Root secrets, current first. */
  secrets: string[]
  workers: number
  trustedProxies: string[]
  /** Undefined: nothing is sent; the mailbox keeps it, if it is on. */
  smtpUrl: string | undefined
  mailFrom: string
  mailbox: boolean
  playground: boolean
  metricsToken: string | undefined
  logLevel: Settings['log_level']
  /** Whether error answers carry reasons. */
  debug: boolean
  brand: Settings['brand']
  lifetimes: Settings['lifetimes']
  /** The built-in ten and the operator's, by name. */
  scopes: Settings['scopes']
  /** Those beside the default resource `<issuer>/api/v1`. */
  resources: Settings['resources']
  claims: Settings['claims']
  apps: Settings['apps']
  signUp: Settings['sign_up']
  mfa: Settings['mfa']
  passwords: Settings['passwords']
  consent: Settings['consent']
  keys: Settings['keys']
  rateLimits: Settings['rate_limits']
  outbound: { allowNetworks: string[] /** PEM text of additional authorities. */; ca: string | undefined }
  network: Settings['network']
  retention: Settings['retention']
  upstreams: Settings['upstreams']
  dynamicRegistration: Settings['dynamic_registration']
  clientDocuments: Settings['client_documents']
}>

/** The names of the limits that can be set, as in `Config.rateLimits`. */
export type RateLimitName = keyof Config['rateLimits']

type Refuse = (path: (string | number)[], message: string, found?: unknown) => void
type Parsed = Omit<Settings, never>

/** The rules that tie one topic to another; each adds its own problems. */
function checkTogether(settings: Parsed, ctx: z.core.$RefinementCtx<Parsed>): void {
  const refuse: Refuse = (path, message, found) => ctx.addIssue({ code: 'custom', path, message, input: found })
  checkScopes(settings, refuse)
  checkResources(settings, refuse)
  checkApps(settings, refuse)
  checkLifetimes(settings, refuse)
  checkUnique(settings, refuse)
}

function checkScopes({ scopes, keys }: Parsed, refuse: Refuse): void {
  for (const name of identityScopes)
    if (name in scopes) refuse(['scopes', name], 'another name: OpenID Connect defines this scope')
  for (const [name, scope] of Object.entries(scopes)) {
    if (scope.access === 'admin' && scope.thirdParty)
      refuse(['scopes', name, 'third_party'], 'false: no third party gets an admin scope', true)
  }
  if (scopes['api:admin']?.access !== 'admin')
    refuse(['scopes', 'api:admin', 'access'], 'admin', scopes['api:admin']?.access)
  for (const [at, name] of (keys.allowedScopes ?? []).entries())
    if (!(name in scopes)) refuse(['keys', 'allowed_scopes', at], 'a scope that exists', name)
}

function checkResources({ resources, scopes }: Parsed, refuse: Refuse): void {
  for (const [at, resource] of resources.entries()) {
    for (const [i, name] of resource.scopes.entries()) {
      if (!(name in scopes)) refuse(['resources', at, 'scopes', i], 'a built-in scope or one under scopes', name)
    }
    for (const [i, name] of resource.defaultScopes.entries()) {
      if (!resource.scopes.includes(name))
        refuse(['resources', at, 'default_scopes', i], 'one of the scopes of this resource', name)
    }
  }
}

function checkApps({ apps, scopes }: Parsed, refuse: Refuse): void {
  const known = new Set<string>([...identityScopes, ...Object.keys(scopes)])
  for (const [at, app] of apps.entries()) {
    for (const field of ['scopes', 'optional_scopes'] as const) {
      for (const [i, name] of app[field === 'scopes' ? 'scopes' : 'optionalScopes'].entries()) {
        if (!known.has(name)) refuse(['apps', at, field, i], 'a built-in scope or one under scopes', name)
        else if (!app.firstParty && scopes[name]?.thirdParty === false)
          refuse(['apps', at, field, i], 'a scope that third parties may ask for', name)
      }
    }
  }
}

function checkLifetimes({ lifetimes, keys }: Parsed, refuse: Refuse): void {
  const order = (path: string[], low: number, high: number, message: string) =>
    low > high && refuse(path, message, `${low}s`)
  order(
    ['lifetimes', 'refresh_idle'],
    lifetimes.refreshIdleSeconds,
    lifetimes.refreshAbsoluteSeconds,
    'at most refresh_absolute',
  )
  order(
    ['lifetimes', 'session_idle'],
    lifetimes.sessionIdleSeconds,
    lifetimes.sessionAbsoluteSeconds,
    'at most session_absolute',
  )
  order(['keys', 'default_lifetime'], keys.defaultLifetimeSeconds, keys.maxLifetimeSeconds, 'at most max_lifetime')
}

function checkUnique({ apps, resources, upstreams }: Parsed, refuse: Refuse): void {
  const once = (list: string, field: string, values: readonly string[]) =>
    values.forEach((value, at) => {
      if (values.indexOf(value) !== at) refuse([list, at, field], 'a value that no other entry has', value)
    })
  once(
    'apps',
    'client_id',
    apps.map((app) => app.clientId),
  )
  once(
    'resources',
    'identifier',
    resources.map((resource) => resource.identifier),
  )
  once(
    'upstreams',
    'id',
    upstreams.map((upstream) => upstream.id),
  )
}
