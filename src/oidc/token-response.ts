/**
 * Rewrites a finished token response: the ways a request ends differently than the library thought, because another request settled the
 * same single-use thing first, or because a refusal has a better name.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { workOf } from './work.ts'

/** Replaces the response by a successful token response. */
export function answer(ctx: KoaContextWithOIDC, body: unknown): void {
  ctx.status = 200
  ctx.body = body
}

/** Replaces the response by `invalid_grant` (RFC 6749 §5.2). */
export function refuse(ctx: KoaContextWithOIDC): void {
  refuseWith(ctx, new errors.InvalidGrant('already used'))
}

/** The library calls a grant that the app is not registered for `invalid_request`; its name is `unauthorized_client` (RFC 6749 §5.2). */
export function nameForbiddenGrant(ctx: KoaContextWithOIDC): void {
  const { client, params } = ctx.oidc
  const { error } = (ctx.body ?? {}) as { error?: string }
  if (error !== 'invalid_request' || !client || client.grantTypeAllowed(String(params?.['grant_type']))) return
  if (params?.['grant_type'] !== undefined)
    refuseWith(ctx, new errors.UnauthorizedClient('this app may not use this grant type'))
}

/** Names the reference behind which the owner of a refused credential finds the cause. */
export function addErrorRef(ctx: KoaContextWithOIDC): void {
  const { errorRef } = workOf(ctx)
  if (errorRef !== undefined) ctx.body = { ...(ctx.body as object), error_ref: errorRef }
}

/** Without any authentication of the app the refusal is that of a wrong one (RFC 6749 §5.2); the library calls it a malformed request. */
export function nameMissingAuthentication(ctx: KoaContextWithOIDC): void {
  const { error, error_description: said } = (ctx.body ?? {}) as { error?: string; error_description?: string }
  if (error !== 'invalid_request' || said !== 'no client authentication mechanism provided') return
  refuseWith(ctx, new errors.InvalidClientAuth('no client authentication'))
  ctx.set('WWW-Authenticate', `Basic realm="${ctx.oidc.issuer}"`)
}

function refuseWith(ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): void {
  ctx.status = error.statusCode
  ctx.body = { error: error.error, error_description: error.error_description }
}
