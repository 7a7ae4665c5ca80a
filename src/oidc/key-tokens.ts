/**
 * Access tokens that are made from a key: short, never longer than the key, naming in `act` which credential acted (RFC 8693 §4.1). The token
 * exchange and forward auth hand them out; `access-tokens.ts` asks whether the key still stands when one comes back.
 */
import type { App } from '../apps/app.ts'
import type { AccessTokenClaims } from './access-tokens.ts'
import { newTokenId } from './access-tokens.ts'
import { type AccountSource, stands } from './accounts.ts'
import { type AskHook, customClaims } from './claims.ts'
import type { OidcSettings, Resource } from './settings.ts'

export const GRANT_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** What a token is made of. */
export interface KeyTokenRequest {
  readonly accountId: string
  /** `api_key:<id>` or `personal_access_token:<id>`. */
  readonly credential: string
  /** The app that exchanges the key; absent where the key acts by itself. */
  readonly app?: App
  readonly scopes: readonly string[]
  readonly resource: Resource
  /** When the key, or its right to do this, ends: milliseconds since 1970. */
  readonly endsAt: number
}

export interface KeyToken {
  readonly token: string
  /** Seconds since 1970. */
  readonly expiresAt: number
  readonly expiresIn: number
}

export type MakeKeyToken = (request: KeyTokenRequest) => Promise<KeyToken>

interface Parts {
  readonly issuer: string
  readonly sign: () => (algorithm: string, payload: object) => Promise<string>
  readonly accounts: AccountSource
  readonly claims: OidcSettings['claims']
  readonly askHook: AskHook | undefined
  readonly lifetimeSeconds: number
  readonly now: () => number
}

/** The longest life of any of them, whatever is configured (contract: 10 minutes). */
const LONGEST_SECONDS = 600

export function createKeyTokens(parts: Parts): MakeKeyToken {
  const { issuer, sign, accounts, claims, askHook, now } = parts
  const lifetime = Math.min(parts.lifetimeSeconds, LONGEST_SECONDS)
  return async ({ accountId, credential, app, scopes, resource, endsAt }) => {
    const account = await accounts.find(accountId)
    const request = {
      ...(stands(account, undefined) ? { account } : {}),
      ...(app ? { app } : {}),
      grantType: GRANT_EXCHANGE,
      resource: resource.identifier,
      scopes,
    }
    const custom = await customClaims({ ...claims.accessToken, ...resource.claims }, request, askHook)
    const issuedAt = Math.floor(now() / 1000)
    const expiresAt = Math.min(issuedAt + lifetime, Math.floor(endsAt / 1000))
    const payload = {
      ...custom,
      iss: issuer,
      sub: accountId,
      aud: resource.identifier,
      exp: expiresAt,
      iat: issuedAt,
      jti: newTokenId(),
      client_id: app?.clientId ?? credential,
      scope: scopes.join(' '),
      act: { sub: credential },
    }
    return { token: await sign()(resource.algorithm, payload), expiresAt, expiresIn: expiresAt - issuedAt }
  }
}

/** The id of the key that a token was made from, undefined for every other token. */
export function keyBehind({ act }: AccessTokenClaims): string | undefined {
  return /^(?:api_key|personal_access_token):(.+)$/.exec(act?.sub ?? '')?.[1]
}
