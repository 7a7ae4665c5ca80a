/**
 * What programs do by themselves, as it is noted: an app that acts for somebody, a service that acts for itself, an enterprise that lets an app in. The
 * person reads it in their activity, the owner of the app in the app's. The same again within a quarter of an hour is one entry (per
 * process): the trail says that it is done, by whom and where, not each single time.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { createRecently } from '../recently.ts'
import { type AccessTokenClaims, type Family, grantOf } from './access-tokens.ts'
import { type Actor, actorsOf } from './actors.ts'
import type { EventSinks } from './events.ts'
import { workOf } from './work.ts'

/** One exchange of an access token. */
export interface Delegated {
  readonly subject: AccessTokenClaims
  readonly act: Actor
  readonly resource: string
  readonly scopes: readonly string[]
  readonly family?: Family
}

/** One identity assertion that was redeemed. */
interface Asserted {
  readonly accountId: string
  readonly issuer: string
  readonly resource: string
  readonly scopes: readonly string[]
}

const SAME_MS = 15 * 60_000
const REMEMBERED = 10_000

export function createActing({
  audit,
  callerOf,
  keepApp,
  now,
}: Pick<EventSinks, 'audit' | 'callerOf' | 'keepApp' | 'now'>) {
  const recently = createRecently({ now, forMs: SAME_MS, atMost: REMEMBERED })
  /** Runs `note` unless the same was noted a moment ago; true when it was news. What failed is not remembered. */
  const once = async (name: string, note: () => Promise<unknown>): Promise<boolean> => {
    if (!recently.isNew(name)) return false
    try {
      await note()
      return true
    } catch (error) {
      recently.forget(name)
      throw error
    }
  }

  return {
    /** Told to whoever the token speaks for, and to the owner of the app that acts. True when that is news. */
    async delegated(ctx: KoaContextWithOIDC, delegated: Delegated): Promise<boolean> {
      const { subject, act, resource, scopes, family } = delegated
      const details = { through: family?.clientId ?? subject.client_id, actors: actorsOf(act), resource, scopes }
      const caller = callerOf(ctx)
      const entry = { event: 'agent.acted', outcome: 'done', subject: act.sub } as const
      return once([grantOf(subject) ?? subject.sub, ...actorsOf(act), resource, ...scopes].join(' '), async () => {
        await audit.note(caller, { ...entry, accountId: subject.sub, details })
        await audit.note(caller, { ...entry, accountId: act.sub, details: { ...details, for: subject.sub } })
      })
    },
    /** Told to the person, for no page asked. */
    async asserted(ctx: KoaContextWithOIDC, { accountId, ...details }: Asserted): Promise<void> {
      const clientId = ctx.oidc.client?.clientId ?? ''
      await keepApp(clientId)
      const entry = { event: 'grant.asserted', outcome: 'done', accountId, subject: clientId } as const
      await audit.note(callerOf(ctx), { ...entry, details: { ...details } })
    },
    /** A service app got a token for itself: in its own log, which its owner reads. */
    async actedItself(ctx: KoaContextWithOIDC): Promise<void> {
      const token = ctx.oidc.entities.ClientCredentials
      const clientId = ctx.oidc.client?.clientId
      if (!token || !clientId) return
      const caller = callerOf(ctx)
      const scopes = token.scope?.split(' ') ?? []
      const resource = String(token.aud ?? '')
      const proof = workOf(ctx).workload ? 'workload' : 'own'
      const entry = { event: 'app.token_issued', outcome: 'done', accountId: clientId, subject: clientId } as const
      await once([clientId, caller.ip, proof, resource, ...scopes].join(' '), () =>
        audit.note(caller, { ...entry, details: { resource, scopes, proof } }),
      )
    },
  }
}
