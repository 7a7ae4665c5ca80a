/**
 * The rules that tie one topic of the configuration to another: scopes that must exist, lifetimes in order, names used once.
 * Topics are parsed one by one, so that a mistake in one does not hide the mistakes in the others; a rule runs when the topics it
 * needs were understood. What a single option accepts stands in the option tables.
 */
import type { z } from 'zod'
import { configSchema, type Settings } from './schema.ts'
import { identityScopes } from './tokens.ts'

/** One thing that is wrong: where, what would be right, and what stands there (absent when it must not be shown). */
export interface Issue {
  readonly path: readonly (string | number)[]
  readonly expected: string
  readonly found?: unknown
}

type Refuse = (path: (string | number)[], expected: string, found?: unknown) => void
type Name = keyof Settings

interface Rule<N extends Name> {
  readonly needs: readonly N[]
  readonly check: (settings: Pick<Settings, N>, refuse: Refuse) => void
}

const rule = <N extends Name>(needs: readonly N[], check: Rule<N>['check']): Rule<Name> => ({
  needs,
  check: check as Rule<Name>['check'],
})

const rules = [
  rule(['scopes'], checkScopes),
  rule(['scopes', 'keys'], checkKeyScopes),
  rule(['scopes', 'resources'], checkResourceScopes),
  rule(['scopes', 'apps'], checkAppScopes),
  rule(['scopes', 'unverified_apps', 'developer_resources'], checkThirdPartyScopes),
  rule(['lifetimes'], checkLifetimes),
  rule(['keys'], checkKeyLifetimes),
  rule(['store_url', 'workers'], ({ store_url, workers = 1 }, refuse) => {
    if (store_url === 'sqlite::memory:' && workers > 1) refuse(['workers'], '1 with a store in memory', workers)
  }),
  rule(['apps'], ({ apps }, refuse) =>
    once(
      'apps',
      'client_id',
      apps.map((app) => app.clientId),
      refuse,
    ),
  ),
  rule(['resources'], ({ resources }, refuse) =>
    once(
      'resources',
      'identifier',
      resources.map((resource) => resource.identifier),
      refuse,
    ),
  ),
  rule(['connections'], ({ connections }, refuse) =>
    once(
      'connections.list',
      'id',
      (connections?.list ?? []).map(({ id }) => id),
      refuse,
    ),
  ),
  rule(['scopes', 'apps', 'trusted_issuers'], checkWorkloads),
  rule(['trusted_issuers'], ({ trusted_issuers: issuers }, refuse) =>
    once(
      'trusted_issuers',
      'issuer',
      issuers.map(({ issuer }) => issuer),
      refuse,
    ),
  ),
  rule(['upstreams'], ({ upstreams }, refuse) =>
    once(
      'upstreams',
      'id',
      upstreams.map((upstream) => upstream.id),
      refuse,
    ),
  ),
]

/** Parses every option and applies every rule: all settings, or every issue there is. */
export function parseSettings(
  raw: Readonly<Record<string, unknown>>,
): { settings: Settings } | { issues: Issue[]; understood: Partial<Settings> } {
  const issues: Issue[] = []
  const parsed: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    const result = schema.safeParse(raw[name], { reportInput: true })
    if (result.success) parsed[name] = result.data
    else issues.push(...result.error.issues.flatMap((issue) => readIssue(issue, [name])))
  }
  for (const name of Object.keys(raw).filter((key) => key !== '__proto__'))
    if (!Object.hasOwn(configSchema.shape, name)) issues.push(unknownKey([], name, Object.keys(configSchema.shape)))
  const settings = parsed as Settings
  for (const { needs, check } of rules) {
    if (needs.every((name) => name in parsed))
      check(settings, (path, expected, found) => issues.push({ path, expected, found }))
  }
  return issues.length > 0 ? { issues, understood: settings } : { settings }
}

function readIssue(issue: z.core.$ZodIssue, at: readonly string[]): Issue[] {
  const path = [...at, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, []))
  return [{ path, expected: expectation(issue), found: issue.input }]
}

function unknownKey(path: readonly (string | number)[], key: string, known: readonly string[]): Issue {
  const near = known.find((name) => name.startsWith(key.slice(0, 4)))
  return {
    path: [...path, key],
    expected: near ? `an option that exists (${near}?)` : 'an option that exists',
    found: 'an unknown option',
  }
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map(String).join(', ')
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input'))
    return issue.expected === 'string' ? 'text' : `a value of type ${issue.expected}`
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  return issue.message
}

function checkScopes({ scopes }: Pick<Settings, 'scopes'>, refuse: Refuse): void {
  for (const name of identityScopes) {
    if (Object.hasOwn(scopes, name)) refuse(['scopes', name], 'another name: OpenID Connect defines this scope', name)
  }
  for (const [name, scope] of Object.entries(scopes)) {
    if (scope.access === 'admin' && scope.thirdParty) {
      refuse(['scopes', name, 'third_party'], 'false: no third party gets an admin scope', true)
    }
  }
  const admin = scopes['api:admin']
  if (admin?.access !== 'admin') refuse(['scopes', 'api:admin', 'access'], 'admin', admin?.access)
}

function checkKeyScopes({ scopes, keys }: Pick<Settings, 'scopes' | 'keys'>, refuse: Refuse): void {
  for (const [at, name] of (keys.allowedScopes ?? []).entries()) {
    if (!Object.hasOwn(scopes, name))
      refuse(['keys', 'allowed_scopes', at], 'a built-in scope or one under scopes', name)
  }
}

function checkResourceScopes({ scopes, resources }: Pick<Settings, 'scopes' | 'resources'>, refuse: Refuse): void {
  for (const [at, resource] of resources.entries()) {
    for (const [i, name] of resource.scopes.entries()) {
      if (!Object.hasOwn(scopes, name))
        refuse(['resources', at, 'scopes', i], 'a built-in scope or one under scopes', name)
    }
    for (const [i, name] of resource.defaultScopes.entries()) {
      if (!resource.scopes.includes(name)) {
        refuse(['resources', at, 'default_scopes', i], 'one of the scopes of this resource', name)
      }
    }
  }
}

function checkAppScopes({ scopes, apps }: Pick<Settings, 'scopes' | 'apps'>, refuse: Refuse): void {
  const identity = new Set<string>(identityScopes)
  for (const [at, app] of apps.entries()) {
    const asked = [
      ...app.scopes.map((name, i) => ({ path: ['apps', at, 'scopes', i], name })),
      ...app.optionalScopes.map((name, i) => ({ path: ['apps', at, 'optional_scopes', i], name })),
    ]
    for (const { path, name } of asked) {
      if (!Object.hasOwn(scopes, name) && !identity.has(name))
        refuse(path, 'a built-in scope or one under scopes', name)
      else if (!app.firstParty && scopes[name]?.thirdParty === false)
        refuse(path, 'a scope that third parties may ask for', name)
    }
  }
}

function checkThirdPartyScopes(
  {
    scopes,
    unverified_apps: unverified,
    developer_resources: brought,
  }: Pick<Settings, 'scopes' | 'unverified_apps' | 'developer_resources'>,
  refuse: Refuse,
): void {
  const lists = { unverified_apps: unverified.scopes ?? [], developer_resources: brought.scopes }
  for (const [option, names] of Object.entries(lists)) {
    for (const [at, name] of names.entries())
      if (!scopes[name]?.thirdParty) refuse([option, 'scopes', at], 'a scope that third parties may ask for', name)
  }
}

/** An app that is registered elsewhere (by the command line) is looked up when somebody comes. */
function checkWorkloads(
  { scopes, apps, trusted_issuers: issuers }: Pick<Settings, 'scopes' | 'apps' | 'trusted_issuers'>,
  refuse: Refuse,
): void {
  for (const [at, { workloads }] of issuers.entries()) {
    for (const [i, workload] of workloads.entries()) {
      const path = ['trusted_issuers', at, 'workloads', i]
      const app = apps.find(({ clientId }) => clientId === workload.app)
      if (app && app.auth !== 'workload_identity')
        refuse([...path, 'app'], 'a service app with auth: workload_identity', workload.app)
      for (const [n, name] of (workload.scopes ?? []).entries())
        if (!Object.hasOwn(scopes, name)) refuse([...path, 'scopes', n], 'a built-in scope or one under scopes', name)
    }
  }
}

function checkLifetimes({ lifetimes }: Pick<Settings, 'lifetimes'>, refuse: Refuse): void {
  const { refreshIdleSeconds, refreshAbsoluteSeconds, sessionIdleSeconds, sessionAbsoluteSeconds } = lifetimes
  if (refreshIdleSeconds > refreshAbsoluteSeconds) {
    refuse(
      ['lifetimes', 'refresh_idle'],
      `at most refresh_absolute (${refreshAbsoluteSeconds} seconds)`,
      refreshIdleSeconds,
    )
  }
  if (sessionIdleSeconds > sessionAbsoluteSeconds) {
    refuse(
      ['lifetimes', 'session_idle'],
      `at most session_absolute (${sessionAbsoluteSeconds} seconds)`,
      sessionIdleSeconds,
    )
  }
}

function checkKeyLifetimes({ keys }: Pick<Settings, 'keys'>, refuse: Refuse): void {
  if (keys.defaultLifetimeSeconds > keys.maxLifetimeSeconds) {
    refuse(
      ['keys', 'default_lifetime'],
      `at most max_lifetime (${keys.maxLifetimeSeconds} seconds)`,
      keys.defaultLifetimeSeconds,
    )
  }
}

function once(list: string, field: string, values: readonly string[], refuse: Refuse): void {
  for (const [at, value] of values.entries()) {
    if (values.indexOf(value) !== at) refuse([...list.split('.'), at, field], 'a value that no other entry has', value)
  }
}
