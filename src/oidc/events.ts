/**
 * What the protocol tells the rest of the server: audit entries, metrics, log lines, notices to people. The table from the library's events to
 * ours; `app.ts` provides the sinks.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { AccessTokenClaims } from './access-tokens.ts'
import { createActing } from './acting.ts'
import type { ConsentAnswer } from './grants.ts'
import { type Artefact, type Redemption, workOf } from './work.ts'

export interface EventSinks {
  readonly audit: Audit
  readonly callerOf: (ctx: KoaContextWithOIDC, accountId?: string) => Caller
  /** Stores an app that registered itself, now that somebody uses it. */
  readonly keepApp: (clientId: string) => Promise<void>
  readonly tokenIssued: (grantType: string) => void
  /** Tells the owner that a replaced refresh token of that app was used. */
  readonly tellReuse: (accountId: string, clientId: string, caller: Caller) => Promise<void>
  readonly unexpected: (error: unknown, requestPath: string) => void
  readonly warn: (message: string, error: unknown) => void
  readonly now: () => number
}

export type ProtocolEvents = ReturnType<typeof createEvents>

export function createEvents(sinks: EventSinks) {
  const { audit, callerOf, keepApp, tokenIssued, tellReuse, unexpected, warn } = sinks
  const acting = createActing(sinks)

  const noteReplayed = (ctx: KoaContextWithOIDC, { accountId = 'anonymous', clientId = '' }: Artefact): Promise<void> =>
    audit.note(callerOf(ctx), {
      event: 'code.replayed',
      outcome: 'refused',
      accountId,
      subject: clientId,
      reason: 'already_used',
    })

  const noteRevoked = async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { client, entities, route } = ctx.oidc
    // At the token endpoint the library revokes for one reason: a code that was redeemed before. It is the first thing that this request has loaded.
    const [code] = workOf(ctx).loaded.values()
    if (route === 'token' && code) return noteReplayed(ctx, code.value)
    const { accountId = 'anonymous' } = (entities.RefreshToken ?? entities.Grant ?? ctx.oidc.session ?? {}) as {
      accountId?: string
    }
    await audit.note(callerOf(ctx), {
      event: 'grant.revoked',
      outcome: 'done',
      accountId,
      subject: client?.clientId ?? '',
      reason: route,
    })
  }

  /** The answer waits for it, and fails with it; a request that fails before that does not leave it unheard. */
  const waitFor = (ctx: KoaContextWithOIDC, noting: Promise<void>): void => {
    noting.catch(() => undefined)
    workOf(ctx).pending.push(noting)
  }

  return {
    /** Subscribes to one provider; called again for each that replaces it. */
    listen(provider: Provider): void {
      provider.on('grant.success', (ctx) => {
        tokenIssued(String(ctx.oidc.params?.['grant_type']))
        if (ctx.oidc.entities.ClientCredentials) waitFor(ctx, acting.actedItself(ctx))
      })
      provider.on('grant.revoked', (ctx) => waitFor(ctx, noteRevoked(ctx)))
      provider.on('server_error', (ctx, error) => {
        if (!hasCode(error, 'rate_limited')) unexpected(error, ctx.path)
      })
      provider.on('backchannel.error', (_ctx, error) => warn('a sign-out notice failed', error))
    },
    async consented(
      ctx: KoaContextWithOIDC,
      accountId: string,
      clientId: string,
      answer: ConsentAnswer,
    ): Promise<void> {
      await keepApp(clientId)
      const scopes = Object.values(answer.scopes).flat()
      const details = { scopes, duration: answer.duration }
      await audit.note(callerOf(ctx, accountId), {
        event: 'consent.granted',
        outcome: 'done',
        accountId,
        subject: clientId,
        details,
      })
    },
    async refreshReused(ctx: KoaContextWithOIDC, grantId: string, accountId: string, clientId: string): Promise<void> {
      const caller = callerOf(ctx)
      const details = { grant: grantId, presented_by: ctx.oidc.client?.clientId ?? '' }
      await audit.note(caller, {
        event: 'refresh_token.reused',
        outcome: 'refused',
        accountId,
        subject: clientId,
        reason: 'family_revoked_by_reuse',
        details,
      })
      await tellReuse(accountId, clientId, caller)
    },
    /** A code or device code was redeemed twice: what the first redemption got is revoked (RFC 6749 §4.1.2). */
    async replayed(ctx: KoaContextWithOIDC, redemption: Redemption): Promise<void> {
      if (redemption.grantId) await ctx.oidc.provider.Grant.adapter.destroy(redemption.grantId)
      await noteReplayed(ctx, redemption.stored.value)
    },
    async tokenRevoked(ctx: KoaContextWithOIDC, claims: AccessTokenClaims): Promise<void> {
      const entry = {
        event: 'access_token.revoked',
        outcome: 'done',
        accountId: claims.sub,
        subject: claims.client_id,
      } as const
      await audit.note(callerOf(ctx), entry)
    },
    async signedOut(ctx: KoaContextWithOIDC, accountId: string): Promise<void> {
      await audit.note(callerOf(ctx, accountId), { event: 'session.signed_out', outcome: 'done', accountId })
    },
    /** The account signed in on more browsers than it may: its oldest sessions have ended. */
    async sessionsEnded(accountId: string, count: number): Promise<void> {
      const entry = { event: 'session.oldest_ended', outcome: 'done', accountId } as const
      await audit.note({ kind: 'system' }, { ...entry, details: { count } })
    },
    ...acting,
    unexpected: (ctx: KoaContextWithOIDC, error: unknown) => unexpected(error, ctx.path),
    noticeGivenUp: (error: unknown) => warn('a sign-out notice was given up', error),
    hookFailed: (error: unknown) => warn('the claims hook failed: its claims are left out', error),
    connectionsUnknown: (error: unknown) => warn('the connections hook failed: no connection can be chosen', error),
    keysNotLoaded: (error: unknown) => warn('the signing keys could not be read again', error),
  }
}
