/**
 * Access tokens that the library does not make: those of an exchange and of an identity assertion. One form for all (RFC 9068 §2.2) with the
 * custom claims under the precedence of `claims.ts`; the protocol's own claims come last and win.
 */
import type { App } from '../apps/app.ts'
import { type AccessTokenClaims, newTokenId } from './access-tokens.ts'
import { type AccountSource, stands } from './accounts.ts'
import { type AskHook, customClaims } from './claims.ts'
import type { OidcSettings, Resource } from './settings.ts'

export interface TokenWish {
  /** `sub`: an account, or the app that acts for itself. */
  readonly subject: string
  /** The app it is issued to; absent where a key acts by itself. */
  readonly app?: App
  readonly clientId: string
  readonly grantType: string
  readonly scopes: readonly string[]
  readonly resource: Resource
  readonly lifetimeSeconds: number
  /** Beyond which it never lives: milliseconds since 1970. */
  readonly endsAt: number
  /** The family whose end ends it. */
  readonly grantId?: string
  /** Further claims of the protocol: who acts, how the person signed in, the key it is bound to. */
  readonly claims?: Partial<AccessTokenClaims>
}

export interface MadeToken {
  readonly token: string
  /** Seconds since 1970. */
  readonly expiresAt: number
  readonly expiresIn: number
}

export type MakeToken = (wish: TokenWish) => Promise<MadeToken>

interface Parts {
  readonly issuer: string
  readonly sign: () => (algorithm: string, payload: object) => Promise<string>
  readonly accounts: AccountSource
  readonly claims: OidcSettings['claims']
  readonly askHook: AskHook | undefined
  readonly now: () => number
}

export function createTokenMaker({ issuer, sign, accounts, claims, askHook, now }: Parts): MakeToken {
  return async ({ subject, app, clientId, grantType, scopes, resource, lifetimeSeconds, endsAt, grantId, ...more }) => {
    const account = subject === clientId ? undefined : await accounts.find(subject)
    const request = {
      ...(stands(account, undefined) ? { account } : {}),
      ...(app ? { app } : {}),
      grantType,
      resource: resource.identifier,
      scopes,
    }
    const custom = await customClaims({ ...claims.accessToken, ...resource.claims }, request, askHook)
    const issuedAt = Math.floor(now() / 1000)
    const expiresAt = Math.min(issuedAt + lifetimeSeconds, Math.floor(endsAt / 1000))
    const payload = {
      ...custom,
      ...more.claims,
      iss: issuer,
      sub: subject,
      aud: resource.identifier,
      exp: expiresAt,
      iat: issuedAt,
      jti: newTokenId(grantId),
      client_id: clientId,
      scope: scopes.join(' '),
    }
    return { token: await sign()(resource.algorithm, payload), expiresAt, expiresIn: expiresAt - issuedAt }
  }
}
