/**
 * Apps of every type as an operator registers them, with what they need to prove themselves.
 */
import { exportJWK, generateKeyPair } from 'jose'
import type { App } from '../../src/apps/app.ts'
import type { NewApp } from '../../src/apps/records.ts'
import { type Licet, operator } from './licet.ts'
import type { Credentials } from './strict-client.ts'

export const CALLBACK = 'https://app.example.test/callback'
export const LOOPBACK = 'http://127.0.0.1/callback'

export interface Registered {
  readonly app: App
  readonly credentials: Credentials
}

const redirects: Readonly<Record<NewApp['type'], readonly string[]>> = {
  web: [CALLBACK],
  spa: [CALLBACK],
  native: [LOOPBACK],
  device: [],
  service: [],
}

/** Registers an app; a web app with a secret unless told otherwise. */
export async function register(licet: Pick<Licet, 'core'>, wanted: Partial<NewApp> = {}): Promise<Registered> {
  const type = wanted.type ?? 'web'
  const keys = wanted.auth === 'private_key_jwt' ? await generateKeyPair('ES256', { extractable: true }) : undefined
  const jwks = keys && { keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'ES256', use: 'sig', kid: 'first' }] }
  const { app, clientSecret } = await licet.core.apps.create(operator, {
    name: 'Notes',
    type,
    redirectUris: redirects[type],
    ...(jwks ? { jwks: jwks as NonNullable<NewApp['jwks']> } : {}),
    ...wanted,
  })
  return {
    app,
    credentials: {
      clientId: app.clientId,
      auth: app.auth as Credentials['auth'],
      idTokenAlg: app.idTokenSignedResponseAlg,
      ...(clientSecret ? { clientSecret } : {}),
      ...(keys ? { privateKey: keys.privateKey } : {}),
    },
  }
}
