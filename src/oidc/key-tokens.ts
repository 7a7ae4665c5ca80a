/**
 * Access tokens that are made from a key: short, never longer than the key, naming in `act` which credential acted (RFC 8693 §4.1). The token
 * exchange and forward auth hand them out; `access-tokens.ts` asks whether the key still stands when one comes back.
 */
import type { App } from '../apps/app.ts'
import type { Resource } from './settings.ts'
import type { MadeToken, MakeToken } from './token-maker.ts'

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

export type MakeKeyToken = (request: KeyTokenRequest) => Promise<MadeToken>

/** The longest life of any exchanged token, whatever is configured (contract: 10 minutes). */
export const LONGEST_SECONDS = 600

export function createKeyTokens({ make, lifetimeSeconds }: { make: MakeToken; lifetimeSeconds: number }): MakeKeyToken {
  return ({ accountId, credential, app, ...request }) =>
    make({
      ...request,
      ...(app ? { app } : {}),
      subject: accountId,
      clientId: app?.clientId ?? credential,
      grantType: GRANT_EXCHANGE,
      lifetimeSeconds: Math.min(lifetimeSeconds, LONGEST_SECONDS),
      claims: { act: { sub: credential } },
    })
}
