/**
 * Two independent strict clients behind one interface, so that a flow is written once and run with both. What each checks of an answer
 * (state, iss, nonce, signatures, content types, token types) is its library's own; nothing is loosened but plain http on loopback.
 */
import type { webcrypto } from 'node:crypto'
import { connectOauth4webapi } from './strict-oauth4webapi.ts'
import { connectOpenidClient } from './strict-openid-client.ts'

/** Parameters of a request; a list is sent as that many parameters of one name. */
export type Params = Readonly<Record<string, string | readonly string[]>>

/** What an app holds to prove itself. */
export interface Credentials {
  readonly clientId: string
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  readonly clientSecret?: string
  readonly privateKey?: webcrypto.CryptoKey
  readonly idTokenAlg?: 'ES256' | 'RS256'
}

export interface ConnectOptions {
  /** Binds every token to a fresh key. */
  readonly dpop?: boolean
  /** In place of the platform's fetch. */
  readonly fetch?: typeof fetch
}

export interface Tokens {
  readonly access_token: string
  readonly token_type: string
  readonly scope?: string
  readonly expires_in?: number
  readonly id_token?: string
  readonly refresh_token?: string
  readonly [name: string]: unknown
}

/** An authorization under way: where to send the person, and what to do with where they came back. */
export interface Authorization {
  readonly url: URL
  /** The verifier, which leaves the client only with the code. */
  readonly verifier: string
  finish(back: URL | Request, tokenParams?: Params): Promise<Tokens>
}

export interface DeviceAuthorization {
  readonly userCode: string
  readonly deviceCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string
  /** One poll. */
  redeem(): Promise<Tokens>
}

export interface StrictClient {
  authorize(redirectUri: string, params?: Params, options?: { readonly pushed?: boolean }): Promise<Authorization>
  refresh(refreshToken: string, params?: Params): Promise<Tokens>
  clientCredentials(params?: Params): Promise<Tokens>
  device(params?: Params): Promise<DeviceAuthorization>
  userinfo(accessToken: string, subject: string): Promise<Record<string, unknown>>
  introspect(token: string): Promise<{ readonly active: boolean; readonly [name: string]: unknown }>
  revoke(token: string): Promise<void>
}

export const strictClients = [
  { name: 'openid-client', connect: connectOpenidClient },
  { name: 'oauth4webapi', connect: connectOauth4webapi },
] as const
