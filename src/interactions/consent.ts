/**
 * The consent page: who asks, as whom, for what, for how long, and three ways out of equal size. A second visit shows only the difference.
 * What may be ticked off: everything the app marked optional, and everything it asked for in bulk.
 */
import { z } from 'zod'
import { shownAccount } from '../accounts/describe.ts'
import type { Consent, ScopeGroup, ScopeRow } from '../http/consent-views.ts'
import { type PageAnswer, page } from '../http/views.ts'
import {
  type ConsentAnswer,
  type Duration,
  IDENTITY,
  intersect,
  isScope,
  keep,
  readingOf,
  type ScopeMap,
  union,
} from '../oidc/grants.ts'
import type { OpenInteraction } from '../oidc/interaction.ts'
import { connectionAnswer, connectionsAsked } from './consent-connections.ts'
import { hostOf, registeredBy, shownApp, warningsFor } from './shown.ts'

/** What the consent page needs to know of a scope. */
export type ScopeLookup = (
  scope: string,
) => { readonly access: 'read' | 'write' | 'admin'; readonly describe: string } | undefined

/** What the consent page needs to know besides who asks for what. */
export interface ConsentRules {
  readonly scope: ScopeLookup
  /** What is selected under "for how long". */
  readonly defaultDuration: Duration
}

export const ConsentForm = z.object({
  scope: z.array(z.string().max(100)).max(100).default([]),
  connection: z.array(z.string().max(100)).max(100).default([]),
  duration: z.enum(['until_revoked', '30d', '1d', 'session']).default('until_revoked'),
  decision: z.enum(['allow', 'allow_read_only', 'deny']),
})
export type ConsentForm = z.infer<typeof ConsentForm>

const DURATIONS = ['until_revoked', '30d', '1d', 'session'] as const

/** Who asks whom for what. */
type Asked = Pick<
  OpenInteraction,
  'app' | 'account' | 'plan' | 'resources' | 'redirectUri' | 'scopesByDefault' | 'connections'
>

export function consentPage(interaction: OpenInteraction, rules: ConsentRules): PageAnswer {
  const { uid } = interaction
  const actions = { action: `/interaction/${uid}/consent`, switchAction: `/interaction/${uid}/switch` }
  return { ...page('interactions/consent', { ...shownAsked(interaction, rules), ...actions }), csrfScope: uid }
}

/** The same page for the app's developer: nothing on it is a form, and there is nothing behind it that could be allowed. */
export function consentPreview(asked: Asked, rules: ConsentRules, backUrl: string): PageAnswer {
  return page('interactions/consent', { ...shownAsked(asked, rules), action: '', switchAction: '', previewOf: backUrl })
}

function shownAsked(
  interaction: Asked,
  { scope: lookup, defaultDuration }: ConsentRules,
): Omit<Consent, 'action' | 'switchAction'> {
  const { app, account, plan, resources, redirectUri } = interaction
  if (!account || !plan) throw new TypeError('consent is asked of somebody who has signed in')
  const connections = connectionsAsked(interaction, isShownIn(interaction))
  return {
    app: {
      ...shownApp(app, redirectUri),
      redirectHost: hostOf(redirectUri) ?? app.clientId,
      registered: registeredBy(app),
      warnings: warningsFor(app, redirectUri),
      ...(app.agent ? { agent: true } : {}),
      ...shownWords(app),
    },
    account: shownAccount(account),
    resource: {
      identifier: resources[0]?.identifier ?? '',
      name: resources.map((resource) => resource.name).join(', '),
    },
    identity: rows(interaction, plan.asked[IDENTITY] ?? [], lookup, IDENTITY),
    groups: groups(interaction, lookup),
    ...(connections ? { connections } : {}),
    alreadyGranted: granted(interaction, lookup),
    durations: [...DURATIONS],
    duration: defaultDuration,
  }
}

/** What the app's developer says of it. */
function shownWords({ description, policyUri, tosUri }: Asked['app']) {
  return {
    ...(description ? { description } : {}),
    ...(policyUri ? { policyUri } : {}),
    ...(tosUri ? { tosUri } : {}),
  }
}

function newScopes({ plan }: Asked, key: string): readonly string[] {
  const missing = plan?.missing[key] ?? []
  // Asked again although nothing is missing (a loopback app, `prompt=consent`): everything is shown.
  return Object.keys(plan?.missing ?? {}).length > 0 ? missing : (plan?.asked[key] ?? [])
}

const isShownIn = (interaction: Asked) => (right: string, key: string) => newScopes(interaction, key).includes(right)

function rows(interaction: Asked, scopes: readonly string[], lookup: ScopeLookup, key: string): ScopeRow[] {
  const shown = new Set(newScopes(interaction, key))
  const missing = new Set(interaction.plan?.missing[key] ?? [])
  return scopes
    .filter((scope) => shown.has(scope))
    .map((scope) => ({
      name: scope,
      sentence: lookup(scope)?.describe ?? '',
      isNew: missing.has(scope) && Object.keys(interaction.plan?.granted ?? {}).length > 0 && hasGrants(interaction),
      refusable: isRefusable(interaction, scope, key, lookup),
      checked: true,
    }))
}

function hasGrants({ plan }: Asked): boolean {
  return Object.values(plan?.granted ?? {}).some((scopes) => scopes.length > 0)
}

function joinedRow(rowsOfAll: readonly ScopeRow[], name: string): ScopeRow {
  const same = rowsOfAll.filter((row) => row.name === name)
  const [first] = same
  if (!first) throw new TypeError('a scope that is shown has a row')
  return { ...first, isNew: same.some((row) => row.isNew), refusable: same.every((row) => row.refusable) }
}

/** Optional scopes, and all of them when the app asked in bulk: for none in particular, or for all of a resource's several scopes. */
function isRefusable(
  { app, plan, resources, scopesByDefault }: Asked,
  scope: string,
  key: string,
  lookup: ScopeLookup,
): boolean {
  if (key === IDENTITY) return scope === 'profile' || scope === 'email' ? app.optionalScopes.includes(scope) : false
  if (app.optionalScopes.includes(scope)) return true
  const resource = resources.find((one) => one.identifier === key)
  const asked = plan?.asked[key] ?? []
  // An administrator's scopes are nobody's to ask for in bulk.
  const all = (resource?.scopes ?? []).filter((one) => lookup(one)?.access !== 'admin')
  return scopesByDefault || (all.length > 1 && all.every((one) => asked.includes(one)))
}

function groups(interaction: Asked, lookup: ScopeLookup): ScopeGroup[] {
  const rowsOfAll = interaction.resources.flatMap(({ identifier }) =>
    rows(interaction, (interaction.plan?.asked[identifier] ?? []).filter(isScope), lookup, identifier),
  )
  // Two resources may own one scope: it is one sentence and one box, which may be ticked off when both allow it.
  const all = [...new Set(rowsOfAll.map(({ name }) => name))].map((name) => joinedRow(rowsOfAll, name))
  return (['read', 'write', 'admin'] as const)
    .map((access) => ({ access, scopes: all.filter((row) => lookup(row.name)?.access === access) }))
    .filter((group) => group.scopes.length > 0)
}

function granted({ plan }: Asked, lookup: ScopeLookup): { name: string; sentence: string }[] {
  if (Object.keys(plan?.missing ?? {}).length === 0) return []
  const scopes = [...new Set(Object.values(plan?.granted ?? {}).flat())].filter(isScope)
  return scopes.map((name) => ({ name, sentence: lookup(name)?.describe ?? '' }))
}

/**
 * The form as an answer about what was shown: locked scopes are always in, refusable ones when ticked. Read only keeps what reads, also of what was
 * allowed before, and gives `*:read` in place of the `*:write` that the person left ticked, where the app may have it.
 */
export function answerOf(
  interaction: OpenInteraction,
  form: ConsentForm,
  lookup: ScopeLookup,
): Omit<ConsentAnswer, 'stops'> {
  const { asked = {}, reading = {} } = interaction.plan ?? {}
  const isShown = isShownIn(interaction)
  const readOnly = form.decision === 'allow_read_only'
  const isUnticked = (scope: string, key: string): boolean =>
    isShown(scope, key) && isRefusable(interaction, scope, key, lookup) && !form.scope.includes(scope)
  const isRefused = (scope: string, key: string): boolean =>
    (readOnly && key !== IDENTITY && lookup(scope)?.access !== 'read') || isUnticked(scope, key)
  const scopes = keep(asked, isScope)
  const given = keep(scopes, (scope, key) => isShown(scope, key) && !isRefused(scope, key))
  const connections = connectionAnswer(interaction, isShown, { ticks: new Set(form.connection), readOnly })
  const instead: ScopeMap = readOnly
    ? intersect(reading, fallen(keep(scopes, (scope, key) => !isUnticked(scope, key))))
    : {}
  return {
    scopes: union(union(given, instead), connections.scopes),
    refused: union(keep(scopes, isRefused), connections.refused),
    duration: form.duration,
  }
}

function fallen(scopes: ScopeMap): ScopeMap {
  return Object.fromEntries(
    Object.entries(scopes).map(([key, list]) => [key, list.map(readingOf).filter((one) => one !== undefined)]),
  )
}
