/**
 * Which requests are an app's calls, and how each ended. Counting them is left to whoever listens.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'

/** Counts a request that an app made for itself. */
export type CountCall = (ctx: KoaContextWithOIDC, clientId: string, outcome: 'ok' | 'denied' | 'limited') => void

/** What apps call for themselves; the pages belong to people. */
const APP_ROUTES: ReadonlySet<string> = new Set([
  'token',
  'introspection',
  'revocation',
  'userinfo',
  'pushed_authorization_request',
  'device_authorization',
])

/** Counts an answered request. One without an app, or of one that did not prove itself (401), is nobody's call; what we failed to answer is none. */
export function countAnswered(ctx: KoaContextWithOIDC, count: CountCall): void {
  const clientId = ctx.oidc?.client?.clientId
  if (clientId === undefined || !APP_ROUTES.has(ctx.oidc.route) || ctx.status === 401 || ctx.status >= 500) return
  count(ctx, clientId, ctx.status === 429 ? 'limited' : ctx.status < 400 ? 'ok' : 'denied')
}
