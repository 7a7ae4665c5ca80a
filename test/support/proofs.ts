/**
 * What a holder of a key can sign: DPoP proofs (RFC 9449) and client assertions (RFC 7523), right unless a test bends them.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose'
import type { Proof } from './app-client.ts'

export interface TestKey {
  readonly privateKey: KeyObject
  readonly privateJwk: JWK
  readonly publicJwk: JWK
  readonly thumbprint: string
}

export async function newKey(): Promise<TestKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK
  const privateJwk = privateKey.export({ format: 'jwk' }) as JWK
  return { privateKey, privateJwk, publicJwk, thumbprint: await calculateJwkThumbprint(publicJwk) }
}

const seconds = () => Math.floor(Date.now() / 1000)

export interface Bent {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  /** Signs with something else than the key. */
  readonly signWith?: KeyObject | Uint8Array
}

/** A proof for one request; `accessToken` adds its hash. */
export async function dpop(
  key: TestKey,
  url: string,
  { method = 'POST', accessToken, claims, header, signWith }: Bent & { method?: string; accessToken?: string } = {},
): Promise<string> {
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
  const payload = { htm: method, htu: url, jti: randomUUID(), iat: seconds(), ...(ath ? { ath } : {}), ...claims }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.publicJwk, ...header })
    .sign(signWith ?? key.privateKey)
}

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client assertion for that issuer. */
export async function assertion(
  key: TestKey,
  { clientId, issuer }: { clientId: string; issuer: string },
  { claims, header, signWith }: Bent = {},
): Promise<string> {
  const now = seconds()
  const payload = { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60, ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(signWith ?? key.privateKey)
}

/** The app proves itself with assertions made by `make`, and names itself nowhere else. */
export function asserted(make: () => Promise<string>): Proof {
  return async () => ({
    params: { client_id: undefined, client_assertion: await make(), client_assertion_type: ASSERTION_TYPE },
  })
}

/** Signs what no library would: whatever stands in the header. */
export function es256({ privateKey }: TestKey): (input: string) => string {
  return (input) =>
    sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

/** A JWT with whatever header and payload, unsigned or signed by `signer`. */
export function rawJwt(header: object, payload: object, signer: (input: string) => string = () => ''): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signer(input)}`
}
