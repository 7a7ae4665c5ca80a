/**
 * What one authorization may give. Decided here, in one place:
 *
 *   granted ⊆ consented ⊆ asked ⊆ allowed to the app, and an administrator's scopes only for an administrator.
 */
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { digest } from '../secrets.ts'
import type { Shims } from '../shims.ts'
import { type Asked, chosen, isScope } from './details.ts'
import type { Consent, ConsentAnswer } from './grants.ts'
import { IDENTITY_SCOPES, type Resources } from './resources.ts'
import { IDENTITY, intersect, keep, type ScopeMap, subtract, union } from './scope-map.ts'

/** What this request asks, what of it is consented already, and what is missing. */
export interface Plan {
  readonly asked: ScopeMap
  readonly granted: ScopeMap
  readonly missing: ScopeMap
  /** What a person may give in place of something wider: `*:read` where `*:write` was asked. */
  readonly reading: ScopeMap
  /** Connections that the person has allowed this app at these resources, asked for now or not: ticked where it lets them choose. */
  readonly held: ScopeMap
}

interface PlanRequest {
  readonly account: Account
  readonly app: App
  readonly asked: Asked
  readonly consent?: Consent | undefined
  readonly answer?: ConsentAnswer | undefined
  readonly sessionUid?: string
}

/**
 * Whether a consent still counts: for the app as it was shown, in the session it was limited to. An app that registered itself and has been forgotten
 * comes back as a stranger.
 */
export function holds(consent: Consent, app: App, sessionUid: string | undefined): boolean {
  return (
    !isStranger(app) &&
    consent.shown === selfDescription(app) &&
    (consent.sessionUid === undefined || consent.sessionUid === sessionUid)
  )
}

export const isStranger = ({ source }: App): boolean => source === 'self_registered' || source === 'document'

/** Compares what is asked with what was consented; an app of the operator's own needs no consent. */
export function planGrant({
  account,
  app,
  asked: { rights, reading },
  consent,
  answer,
  sessionUid,
}: PlanRequest): Plan {
  if (app.firstParty) return { asked: rights, granted: keep(rights, isScope), missing: {}, reading, held: {} }
  const valid = consent && consent.accountId === account.id && holds(consent, app, sessionUid)
  const allowed = subtract(union(valid ? consent.scopes : {}, answer?.scopes ?? {}), answer?.refused ?? {})
  // What the person gave instead counts as asked from here on.
  const asked = union(rights, intersect(reading, answer?.scopes ?? {}))
  const granted = chosen(asked, allowed)
  const held = keep(allowed, (right, key) => !isScope(right) && key in rights)
  return { asked, granted, missing: answer ? {} : subtract(rights, granted), reading, held }
}

/** Scopes and connections of one request. */
export function withConnections(scopes: Asked, connections: Asked): Asked {
  return {
    rights: union(scopes.rights, connections.rights),
    reading: union(scopes.reading, connections.reading),
  }
}

/** A parameter of ours that an interaction carries: no request can set it, for the library takes over known names only. */
export const FACE = 'face'

/** As `selfDescription`, of the moment when the request came in: what an app says of itself later was not what the person allowed. */
export function keepFace(params: Record<string, unknown>, app: App): void {
  params[FACE] = selfDescription(app)
}

/** A digest of what nobody but the app itself vouches for and a person was shown; undefined for apps that an operator or a developer registered. */
export function selfDescription({ selfRegistered, name, redirectUris }: App): string | undefined {
  return selfRegistered ? digest('app shown', JSON.stringify([name, redirectUris])) : undefined
}

/**
 * The scopes of a request by resource, limited to what this account may hold at all, and what they may fall to.
 * `resources` are the registered identifiers asked for.
 */
export function askedScopes(
  resources: Resources,
  requested: readonly string[],
  identifiers: readonly string[],
  app: App,
  account: Account,
): Asked {
  const wanted = new Set(requested)
  const identity = IDENTITY_SCOPES.filter((scope) => wanted.has(scope))
  const open = identifiers.map((identifier) => {
    const resource = resources.find(identifier)
    const scopes = resource ? resources.allowed(app, resource) : []
    return [identifier, scopes.filter((scope) => mayHold(resources, scope, account))] as const
  })
  const rights = keep(Object.fromEntries([[IDENTITY, identity] as const, ...open]), (scope) => wanted.has(scope))
  const reads = (scope: string, key: string) =>
    resources.rule(scope)?.access === 'read' && (rights[key] ?? []).some((asked) => readingOf(asked) === scope)
  return { rights, reading: subtract(keep(Object.fromEntries(open), reads), rights) }
}

/** What `*:write` falls to when a person allows reading only. */
export function readingOf(scope: string): string | undefined {
  return scope.endsWith(':write') ? scope.replace(/write$/, 'read') : undefined
}

interface Accumulating {
  readonly shims: Shims
  readonly app: App
  readonly requested: readonly string[]
  readonly identifiers: readonly string[]
  readonly consent: Consent | undefined
}

/**
 * What an app that registered itself asks for when it steps up: this request's scopes and what the person has allowed it at the same resource before.
 * Such clients forget their earlier scopes (mcp.md F13, F14), and a narrower token would send them in circles. Every other app gets what it asks.
 */
export function accumulated({ shims, app, requested, identifiers, consent }: Accumulating): string[] {
  if (!app.selfRegistered || !shims.on('scope_accumulates')) return [...requested]
  const before = identifiers.flatMap((identifier) => consent?.scopes[identifier] ?? []).filter((one) => isScope(one))
  return [...new Set([...requested, ...before])]
}

/** An administrator's scope needs an administrator. */
export function mayHold(resources: Resources, scope: string, account: Account): boolean {
  return resources.rule(scope)?.access !== 'admin' || account.role === 'administrator'
}
