/**
 * The pages that the protocol shows itself: errors, sign-out, device codes. Declared here as small as it is called;
 * the surfaces draw them. Each writes status, headers and body of `ctx`.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { ErrorCode } from '../errors.ts'

export interface Pages {
  /** An OAuth error that cannot go back to the app. */
  oauthError(ctx: KoaContextWithOIDC, error: OAuthErrorPage): void
  /** Our own failure: the store, an overload, a limit. */
  failed(ctx: KoaContextWithOIDC, failure: { code: ErrorCode; retryAfterSeconds?: number }): void
  /** Leaves for another site. */
  leave(ctx: KoaContextWithOIDC, url: string): void
  signOut(ctx: KoaContextWithOIDC, form: { action: string; xsrf: string; app?: App }): void
  signedOut(ctx: KoaContextWithOIDC, app?: App): void
  deviceCode(
    ctx: KoaContextWithOIDC,
    form: { action: string; xsrf: string; userCode?: string; problem?: DeviceProblem },
  ): void
  deviceConfirm(
    ctx: KoaContextWithOIDC,
    form: { action: string; xsrf: string; userCode: string; app: App; ip: string; userAgent: string },
  ): void
  deviceDone(ctx: KoaContextWithOIDC, outcome: 'approved' | 'denied', app?: App): void
}

/** `toApp` is where a person may choose to go on to. */
export interface OAuthErrorPage {
  readonly error: string
  readonly description?: string
  readonly app?: App
  readonly expired: boolean
  readonly toApp?: string
}

export type DeviceProblem = 'missing' | 'unknown' | 'expired' | 'used' | 'limited'
