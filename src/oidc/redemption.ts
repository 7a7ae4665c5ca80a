/**
 * The moment an answer of the token endpoint becomes final. Codes and refresh tokens were only marked while the library worked; here the
 * one compare-and-set consumes them, so that of any number of parallel redemptions, on any number of processes, one wins
 * (RFC 6749 §4.1.2, threats.md TK4, RT4, DV4), and a request refused for its scope or resource has burned nothing (TK7).
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../storage/store.ts'
import type { Refresh } from './refresh.ts'
import { answer, refuse } from './token-response.ts'
import { type Artefact, type Redemption, workOf } from './work.ts'

export interface RedemptionParts {
  readonly store: Store
  readonly refresh: Refresh
  readonly now: () => number
  /** Destroys the family because a single-use thing was used again; tells the audit. */
  readonly onReplay: (ctx: KoaContextWithOIDC, redemption: Redemption) => Promise<void>
}

/** Settles the token response in `ctx.body`: final, replaced by the answer of the first try, or `invalid_grant`. */
export function createSettlement({ store, refresh, now, onReplay }: RedemptionParts) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const work = workOf(ctx)
    if (work.replay !== undefined) return answer(ctx, JSON.parse(work.replay))
    const { redemption } = work
    if (ctx.status === 200) sayWhenRefreshEnds(ctx)
    if (!redemption || ctx.status !== 200) return
    if (redemption.kind === 'refresh_token') return refresh.settle(ctx, redemption)
    const consumed = await store.update<Artefact>(
      redemption.kind,
      redemption.id,
      (value) => (value.consumedAt === undefined ? { value: { ...value, consumedAt: now() } } : undefined),
      redemption.stored,
    )
    if (consumed.changed) return
    if (work.childId) await store.remove('refresh_token', work.childId)
    await onReplay(ctx, redemption)
    refuse(ctx)
  }
}

/** `refresh_token_expires_in`: seconds until an unused refresh token ends, by its own life or its grant's. */
function sayWhenRefreshEnds(ctx: KoaContextWithOIDC): void {
  const body = ctx.body as Record<string, unknown> | undefined
  const { RefreshToken: token, Grant: grant } = ctx.oidc.entities
  if (!body?.['refresh_token'] || !token) return
  const left = Math.min(token.remainingTTL, grant?.remainingTTL ?? token.remainingTTL)
  ctx.body = { ...body, refresh_token_expires_in: left }
}
