/**
 * Consent and grants. A consent is what an account has allowed an app, kept per account and app; a grant is one family of tokens, begun
 * by one authorization, and destroying it is the one way to revoke. What a token may hold is decided here, in one place:
 *
 *   granted ⊆ consented ⊆ asked ⊆ allowed to the app, and an administrator's scopes only for an administrator.
 */
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { hasCode } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Shims } from '../shims.ts'
import type { Store } from '../storage/store.ts'
import { IDENTITY_SCOPES, type Resources } from './resources.ts'
import type { Artefact } from './work.ts'

export type Duration = 'until_revoked' | '30d' | '1d' | 'session'

/** Scopes by resource identifier; identity scopes under `IDENTITY`. */
export type ScopeMap = Readonly<Record<string, readonly string[]>>
export const IDENTITY = 'identity'

export interface Consent {
  readonly accountId: string
  readonly clientId: string
  readonly scopes: ScopeMap
  readonly duration: Duration
  /** The session it is limited to, for `session`. */
  readonly sessionUid?: string
  /** What an app that registered itself said of itself then: said otherwise, it is asked anew (threats.md DC5). */
  readonly shown?: string
  readonly firstAt: number
  readonly lastAt: number
}

/** What a person answered on the consent page. */
export interface ConsentAnswer {
  readonly scopes: ScopeMap
  /** What was asked and not allowed this time: it is taken out of what was consented before, too. */
  readonly refused: ScopeMap
  readonly duration: Duration
}

/** What this request asks, what of it is consented already, and what is missing. */
export interface Plan {
  readonly asked: ScopeMap
  readonly granted: ScopeMap
  readonly missing: ScopeMap
}

export interface Grants {
  consentFor(accountId: string, clientId: string): Promise<Consent | undefined>
  /** Adds to what was consented before and takes out what was refused; the newest duration counts. */
  allow(accountId: string, app: App, answer: ConsentAnswer, sessionUid: string): Promise<Consent>
  /** Ends one family of tokens; true if it was there. */
  end(grantId: string): Promise<boolean>
  /** Ends every family an account has, or every one begun in a session. */
  endAll(by: { accountId: string } | { sessionUid: string }): Promise<number>
  /** Ends the families that were limited to that sign-in. */
  endBound(sessionUid: string): Promise<void>
}

const DAY_MS = 86_400_000

/** How long a consent is remembered; `session` ends with the session, which it names. */
const DURATION_MS: Readonly<Record<Duration, number>> = {
  '1d': DAY_MS,
  '30d': 30 * DAY_MS,
  session: 30 * DAY_MS,
  until_revoked: 36_500 * DAY_MS,
}

export function createGrants({ store, now }: { store: Store; now: () => number }): Grants {
  const find = async (accountId: string, clientId: string) =>
    store.find<Consent>('consent', consentId(accountId, clientId))

  return {
    consentFor: async (accountId, clientId) => (await find(accountId, clientId))?.value,
    async allow(accountId, app, answer, sessionUid) {
      const { clientId } = app
      const shown = selfDescription(app)
      const id = consentId(accountId, clientId)
      const merged = (before: Consent | undefined): Consent => ({
        accountId,
        clientId,
        // What does not hold any more is not revived by allowing something else.
        scopes: subtract(
          union(before && holds(before, app, sessionUid) ? before.scopes : {}, answer.scopes),
          answer.refused,
        ),
        duration: answer.duration,
        ...(answer.duration === 'session' ? { sessionUid } : {}),
        ...(shown ? { shown } : {}),
        firstAt: before?.firstAt ?? now(),
        lastAt: now(),
      })
      const expiresAt = now() + DURATION_MS[answer.duration]
      const add = () => store.update<Consent>('consent', id, (value) => ({ value: merged(value), expiresAt }))
      const { entry } = await add()
      if (entry) return entry.value
      try {
        return (await store.put('consent', { id, value: merged(undefined), expiresAt }, 'create')).value
      } catch (error) {
        // Another tab consented first: add to that.
        const again = hasCode(error, 'conflict') ? await add() : undefined
        if (!again?.entry) throw error
        return again.entry.value
      }
    },
    end: (grantId) => store.remove('grant', grantId),
    endAll: (by) =>
      'accountId' in by
        ? store.removeGroup('grant', 'accountId', by.accountId)
        : store.removeGroup('grant', 'sessionUid', by.sessionUid),
    async endBound(sessionUid) {
      const { items } = await store.list<Artefact>('grant', { group: 'sessionUid', value: sessionUid, limit: 1000 })
      await Promise.all(
        items.filter((item) => item.value['bound'] === true).map((item) => store.remove('grant', item.id)),
      )
    },
  }
}

export function consentId(accountId: string, clientId: string): string {
  return digest('consent', `${accountId}\n${clientId}`)
}

/** Seconds a grant begun now lives: as long as its consent still does, never longer than the absolute lifetime. */
export function grantSeconds(consent: Consent | undefined, absoluteSeconds: number, now: number): number {
  if (!consent) return absoluteSeconds
  const left = Math.floor((consent.lastAt + DURATION_MS[consent.duration] - now) / 1000)
  return Math.max(1, Math.min(left, absoluteSeconds))
}

interface PlanRequest {
  readonly account: Account
  readonly app: App
  readonly asked: ScopeMap
  readonly consent?: Consent | undefined
  readonly answer?: ConsentAnswer | undefined
  readonly sessionUid?: string
}

/** A digest of what nobody but the app itself vouches for and a person was shown; undefined for apps that an operator or a developer registered. */
function selfDescription({ selfRegistered, name, redirectUris }: App): string | undefined {
  return selfRegistered ? digest('app shown', JSON.stringify([name, redirectUris])) : undefined
}

/**
 * Whether a consent still counts: for the app as it was shown, in the session it was limited to. An app that registered itself and has been forgotten
 * comes back as a stranger.
 */
function holds(consent: Consent, app: App, sessionUid: string | undefined): boolean {
  const isStranger = app.source === 'self_registered' || app.source === 'document'
  return (
    !isStranger &&
    consent.shown === selfDescription(app) &&
    (consent.sessionUid === undefined || consent.sessionUid === sessionUid)
  )
}

/** Compares what is asked with what was consented; an app of the operator's own needs no consent. */
export function planGrant({ account, app, asked, consent, answer, sessionUid }: PlanRequest): Plan {
  if (app.firstParty) return { asked, granted: asked, missing: {} }
  const valid = consent && consent.accountId === account.id && holds(consent, app, sessionUid)
  const allowed = union(valid ? consent.scopes : {}, answer?.scopes ?? {})
  const granted = intersect(asked, subtract(allowed, answer?.refused ?? {}))
  return { asked, granted, missing: answer ? {} : subtract(asked, granted) }
}

/**
 * The scopes of a request by resource, limited to what this account may hold at all.
 * `resources` are the registered identifiers asked for.
 */
export function askedScopes(
  resources: Resources,
  requested: readonly string[],
  identifiers: readonly string[],
  app: App,
  account: Account,
): ScopeMap {
  const wanted = new Set(requested)
  const identity = IDENTITY_SCOPES.filter((scope) => wanted.has(scope))
  const perResource = identifiers.map((identifier) => {
    const resource = resources.find(identifier)
    const scopes = resource ? resources.allowed(app, resource).filter((scope) => wanted.has(scope)) : []
    return [identifier, scopes.filter((scope) => mayHold(resources, scope, account))] as const
  })
  return Object.fromEntries([[IDENTITY, identity] as const, ...perResource].filter(([, scopes]) => scopes.length > 0))
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
  return [...new Set([...requested, ...identifiers.flatMap((identifier) => consent?.scopes[identifier] ?? [])])]
}

/** An administrator's scope needs an administrator. */
export function mayHold(resources: Resources, scope: string, account: Account): boolean {
  return resources.rule(scope)?.access !== 'admin' || account.role === 'administrator'
}

export function isEmpty(scopes: ScopeMap): boolean {
  return Object.values(scopes).every((list) => list.length === 0)
}

function union(a: ScopeMap, b: ScopeMap): ScopeMap {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return Object.fromEntries(keys.map((key) => [key, [...new Set([...(a[key] ?? []), ...(b[key] ?? [])])]]))
}

/** What stands in both, under the keys of the first. */
export function intersect(a: ScopeMap, b: ScopeMap): ScopeMap {
  const both = Object.entries(a).map(
    ([key, scopes]) => [key, scopes.filter((scope) => b[key]?.includes(scope))] as const,
  )
  return Object.fromEntries(both.filter(([, scopes]) => scopes.length > 0))
}

function subtract(a: ScopeMap, b: ScopeMap): ScopeMap {
  const rest = Object.entries(a).map(
    ([key, scopes]) => [key, scopes.filter((scope) => !b[key]?.includes(scope))] as const,
  )
  return Object.fromEntries(rest.filter(([, scopes]) => scopes.length > 0))
}
