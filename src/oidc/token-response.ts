/**
 * Rewrites a finished token response: the two ways a request ends differently than the library thought,
 * because another request settled the same single-use thing first.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'

/** Replaces the response by a successful token response. */
export function answer(ctx: KoaContextWithOIDC, body: unknown): void {
  ctx.status = 200
  ctx.body = body
}

/** Replaces the response by `invalid_grant` (RFC 6749 §5.2). */
export function refuse(ctx: KoaContextWithOIDC): void {
  const error = new errors.InvalidGrant('already used')
  ctx.status = error.statusCode
  ctx.body = { error: error.error, error_description: error.error_description }
}
