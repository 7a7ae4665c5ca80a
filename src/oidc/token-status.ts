/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of our own JWT access tokens. The library authenticates the caller and then declines
 * structured tokens; its refusal is replaced by the truth. A caller learns about a token only if it is the app the token was issued to, or the
 * resource server the token is meant for; everything else is `{"active": false}`.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Shims } from '../shims.ts'
import type { AccessTokenClaims, AccessTokens } from './access-tokens.ts'
import { type AccountSource, stands } from './accounts.ts'
import type { Clients } from './clients.ts'
import type { Served } from './mending.ts'
import { canonical } from './resources.ts'
import type { StepUpHints } from './step-up-hints.ts'

interface StatusParts {
  readonly hints: Pick<StepUpHints, 'ask'>
  readonly shims: Shims
  readonly served: Served
  readonly tokens: () => AccessTokens
  readonly clients: Clients
  readonly onRevoked: (ctx: KoaContextWithOIDC, claims: AccessTokenClaims) => Promise<void>
}

/** Answers introspection and revocation of structured tokens after the library has authenticated the caller. */
export function createTokenStatus({ tokens, clients, onRevoked, hints, shims, served }: StatusParts) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { route, client, params } = ctx.oidc
    if (route === 'introspection') narrowRefreshToken(ctx)
    const declined = (ctx.body as { error?: string } | undefined)?.error === 'unsupported_token_type'
    if (!declined || !client || (route !== 'introspection' && route !== 'revocation')) return
    const caller = await clients.app(client.clientId)
    const checked = await tokens().check(String(params?.['token']))
    ctx.status = 200
    if (route === 'introspection') {
      const isKnown = checked.ok && caller !== undefined && mayKnow(caller, checked.claims)
      ctx.body = isKnown ? introspected(checked.claims) : { active: false }
      const wantsStepUp = (ctx.oidc.body as { step_up?: unknown } | undefined)?.step_up === 'true'
      if (
        isKnown &&
        wantsStepUp &&
        checked.grantId &&
        isItsServer(caller, checked.claims) &&
        shims.on('step_up_hint')
      ) {
        await hints.ask(checked.grantId)
        const app = await clients.app(checked.claims.client_id)
        if (app) served(app, ['step_up_hint'])
      }
      return
    }
    ctx.body = ''
    if (!checked.ok) return
    if (checked.claims.client_id !== client.clientId) return refuseForeign(ctx)
    // Noted first: once it is denied, a retry would find nothing to note.
    await onRevoked(ctx, checked.claims)
    await tokens().deny(checked.claims)
  }
}

/** A refresh token is good for what its grant still holds, which may be less than what it was issued for. */
function narrowRefreshToken(ctx: KoaContextWithOIDC): void {
  const body = ctx.body as { active?: boolean; scope?: string } | undefined
  const grant = ctx.oidc.entities.Grant as HeldGrant | undefined
  if (!body?.active || !body.scope || !grant) return
  const held = [grant.openid?.scope ?? '', ...Object.values(grant.resources ?? {})].join(' ').split(' ')
  const scope = body.scope.split(' ').filter((one) => held.includes(one))
  const { scope: _wider, ...rest } = body
  ctx.body = { ...rest, ...(scope.length > 0 ? { scope: scope.join(' ') } : {}) }
}

interface HeldGrant {
  readonly openid?: { readonly scope?: string }
  readonly resources?: Readonly<Record<string, string>>
}

/** The app a token was issued to, or the resource server it is for. */
export function mayKnow(caller: App, claims: AccessTokenClaims): boolean {
  return claims.client_id === caller.clientId || isItsServer(caller, claims)
}

function isItsServer(caller: App, claims: AccessTokenClaims): boolean {
  return caller.resourceServer !== undefined && canonical(caller.resourceServer) === canonical(claims.aud)
}

/** RFC 7662 §2.2: every claim of the token, and that it is active. */
function introspected(claims: AccessTokenClaims): Record<string, unknown> {
  return { active: true, ...claims, token_type: claims.cnf?.jkt ? 'DPoP' : 'Bearer' }
}

/** RFC 7009 §2.1: the request is refused and the client informed. */
function refuseForeign(ctx: KoaContextWithOIDC): void {
  ctx.status = 400
  ctx.body = { error: 'invalid_request', error_description: 'client is not authorized to revoke the presented token' }
}

/** The library's policy for what it stores itself, refresh tokens: only the app they belong to may revoke one. */
export function ownTokenOnly(_ctx: unknown, client: { clientId: string }, token: { clientId?: string }): boolean {
  return token.clientId === client.clientId
}

/** As for revocation; and a token whose account may not use it any more is not active (threats.md IR3). */
export function createIntrospectionPolicy(accounts: AccountSource) {
  return async (ctx: unknown, client: { clientId: string }, token: StoredToken): Promise<boolean> => {
    if (!ownTokenOnly(ctx, client, token) || token.accountId === undefined) return false
    return stands(await accounts.find(token.accountId), token.authTime)
  }
}

interface StoredToken {
  readonly clientId?: string
  readonly accountId?: string
  readonly authTime?: number
}
