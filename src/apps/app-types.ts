/**
 * What kind of program an app is, and what follows from it: which grants it may use, how it proves itself, whether people are sent
 * back to it. One table; PKCE is demanded of every app that uses codes.
 */

export type AppType = 'web' | 'spa' | 'native' | 'device' | 'service'
/** `workload_identity`: by an assertion of an issuer that the configuration trusts (RFC 7523); the app itself keeps no secret and no key. */
export type AppAuth = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'workload_identity'
export type GrantType =
  | 'authorization_code'
  | 'refresh_token'
  | 'client_credentials'
  | 'urn:ietf:params:oauth:grant-type:device_code'
  | 'urn:ietf:params:oauth:grant-type:token-exchange'

export interface AppTypeRules {
  readonly grants: readonly GrantType[]
  /** The first one is the default. */
  readonly auth: readonly AppAuth[]
  readonly redirectUris: 'required' | 'none'
}

const SECRET_OR_KEY = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const

export const appTypes: Readonly<Record<AppType, AppTypeRules>> = {
  /** A program on a server: it can keep a secret. */
  web: { grants: ['authorization_code', 'refresh_token'], auth: SECRET_OR_KEY, redirectUris: 'required' },
  /** A program in the browser: whatever it holds, the person holds. */
  spa: { grants: ['authorization_code', 'refresh_token'], auth: ['none'], redirectUris: 'required' },
  /** A program on somebody's machine (RFC 8252 §8.5: a secret shipped with it is none). */
  native: { grants: ['authorization_code', 'refresh_token'], auth: ['none'], redirectUris: 'required' },
  /** A program without a browser: the person signs in on another machine (RFC 8628). */
  device: {
    grants: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    auth: ['none'],
    redirectUris: 'none',
  },
  /** A program that acts for itself, or exchanges keys and tokens (RFC 8693). */
  service: {
    grants: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    auth: [...SECRET_OR_KEY, 'workload_identity'],
    redirectUris: 'none',
  },
}

/** True when apps with that way of proving themselves hold a secret. */
export function holdsSecret(auth: AppAuth): boolean {
  return auth === 'client_secret_basic' || auth === 'client_secret_post'
}
