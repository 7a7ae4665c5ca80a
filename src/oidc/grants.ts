/**
 * Consent and grants. A consent is what an account has allowed an app, kept per account and app; a grant is one family of tokens, begun
 * by one authorization, and destroying it is one way to revoke. A family never holds more than its consent does now (`standing.ts`).
 * What an authorization may give is decided in `plan.ts`; that a vendor was stopped meanwhile, in `vendors.ts`.
 */
import type { App } from '../apps/app.ts'
import { AppError, hasCode } from '../errors.ts'
import { digest, randomId } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { holds, isStranger, selfDescription } from './plan.ts'
import { type ScopeMap, subtract, union } from './scope-map.ts'
import { createVendors } from './vendors.ts'
import type { Artefact } from './work.ts'

export { connectionOf, connectionRight, isScope } from './details.ts'
export { readingOf } from './plan.ts'
export { IDENTITY, intersect, keep, type ScopeMap, union } from './scope-map.ts'

export type Duration = 'until_revoked' | '30d' | '1d' | 'session'

export interface Consent {
  readonly accountId: string
  readonly clientId: string
  readonly scopes: ScopeMap
  readonly duration: Duration
  /** The session it is limited to, for `session`. */
  readonly sessionUid?: string
  /** What an app that registered itself said of itself then: said otherwise, it is asked anew (threats.md DC5). */
  readonly shown?: string
  /** Grants that live by it carry the same: a consent that ended and was given again is another one, and wakes nothing. */
  readonly generation: string
  readonly vendorId: string
  readonly firstAt: number
  readonly lastAt: number
  /** When something of it was last used, to the hour. */
  readonly usedAt?: number
}

/** What a person answered on the consent page. */
export interface ConsentAnswer {
  readonly scopes: ScopeMap
  /** What was asked and not allowed this time: it is taken out of what was consented before, too. */
  readonly refused: ScopeMap
  readonly duration: Duration
  /** How often the vendor had been stopped when the person answered: a stop in between wins. */
  readonly stops: number
  /** What an app that registered itself said of itself when the person was sent here. */
  readonly shown?: string
}

/** A consent as it lives. `expiresAt` is milliseconds since 1970. */
export type LivingConsent = Consent & { readonly expiresAt: number }

export interface Grants {
  consentFor(accountId: string, clientId: string): Promise<LivingConsent | undefined>
  /**
   * Adds to what was consented before and takes out what was refused; the newest duration counts.
   * @throws conflict when the vendor was stopped after the person answered
   */
  allow(accountId: string, app: App, answer: ConsentAnswer, session: ConsentSession): Promise<LivingConsent>
  /** How often this account has stopped the vendor of that app. */
  stops(accountId: string, app: App): Promise<number>
  /** Ends one family of tokens; true if it was there. */
  end(grantId: string): Promise<boolean>
  /** Ends every family an account has, or every one begun in a session together with what was allowed for that session only. */
  endAll(by: { accountId: string } | { sessionUid: string }): Promise<number>
  /** Ends what was limited to that sign-in. */
  endBound(sessionUid: string): Promise<void>
}

export interface ConsentSession {
  readonly uid: string
  /** When it ends however much it is used: milliseconds since 1970. */
  readonly endsAt: number
}

const DAY_MS = 86_400_000

/** How long a consent is remembered; `session` ends with the session, which it names. */
const DURATION_MS: Readonly<Record<Duration, number>> = {
  '1d': DAY_MS,
  '30d': 30 * DAY_MS,
  session: 365 * DAY_MS,
  until_revoked: 36_500 * DAY_MS,
}

export function createGrants({ store, now }: { store: Store; now: () => number }): Grants {
  const vendors = createVendors({ store, now })

  const write = async (id: string, merged: (before: Consent | undefined) => Consent, expiresAt: number) => {
    const add = () => store.update<Consent>('consent', id, (value) => ({ value: merged(value), expiresAt }))
    const { entry } = await add()
    if (entry) return entry
    try {
      return await store.put('consent', { id, value: merged(undefined), expiresAt }, 'create')
    } catch (error) {
      // Another tab consented first: add to that.
      const again = hasCode(error, 'conflict') ? await add() : undefined
      if (!again?.entry) throw error
      return again.entry
    }
  }

  return {
    async consentFor(accountId, clientId) {
      const entry = await store.find<Consent>('consent', consentId(accountId, clientId))
      return entry && living(entry)
    },
    async allow(accountId, app, answer, session) {
      const { clientId } = app
      const shown = answer.shown ?? selfDescription(app)
      const id = consentId(accountId, clientId)
      const vendor = vendors.of(accountId, app)
      const merged = (before: Consent | undefined): Consent => ({
        accountId,
        clientId,
        // What does not hold any more is not revived by allowing something else.
        scopes: subtract(
          union(before && holds(before, app, session.uid) ? before.scopes : {}, answer.scopes),
          answer.refused,
        ),
        duration: answer.duration,
        ...(answer.duration === 'session' ? { sessionUid: session.uid } : {}),
        ...(shown ? { shown } : {}),
        generation: before && !isStranger(app) ? before.generation : randomId(),
        vendorId: vendor.id,
        firstAt: before?.firstAt ?? now(),
        lastAt: now(),
        ...(before?.usedAt === undefined ? {} : { usedAt: before.usedAt }),
      })
      const longest = now() + DURATION_MS[answer.duration]
      const expiresAt = answer.duration === 'session' ? Math.min(longest, session.endsAt) : longest
      // Marked before, so that no consent is ever without its row; and after, for the row may have been cleared or stopped in between.
      if (!(await vendors.connect(vendor, answer.stops))) throw stopped()
      const entry = await write(id, merged, expiresAt)
      if (await vendors.connect(vendor, answer.stops)) return living(entry)
      await store.remove('consent', id)
      throw stopped()
    },
    stops: (accountId, app) => vendors.stops(accountId, app),
    end: (grantId) => store.remove('grant', grantId),
    async endAll(by) {
      if ('accountId' in by) return store.removeGroup('grant', 'accountId', by.accountId)
      await store.removeGroup('consent', 'sessionUid', by.sessionUid)
      return store.removeGroup('grant', 'sessionUid', by.sessionUid)
    },
    async endBound(sessionUid) {
      await store.removeGroup('consent', 'sessionUid', sessionUid)
      const { items } = await store.list<Artefact>('grant', { group: 'sessionUid', value: sessionUid, limit: 1000 })
      await Promise.all(
        items.filter((item) => item.value['bound'] === true).map((item) => store.remove('grant', item.id)),
      )
    },
  }
}

const living = ({ value, expiresAt = Number.MAX_SAFE_INTEGER }: Stored<Consent>): LivingConsent => ({
  ...value,
  expiresAt,
})

const stopped = () => new AppError('conflict', 'The person stopped this app meanwhile.')

export function consentId(accountId: string, clientId: string): string {
  return digest('consent', `${accountId}\n${clientId}`)
}

/** Seconds a grant begun now lives: as long as its consent still does, never longer than the absolute lifetime. */
export function grantSeconds(consent: LivingConsent | undefined, absoluteSeconds: number, now: number): number {
  if (!consent) return absoluteSeconds
  return Math.max(1, Math.min(Math.floor((consent.expiresAt - now) / 1000), absoluteSeconds))
}
