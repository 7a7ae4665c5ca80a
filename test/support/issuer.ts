/**
 * An issuer that stands outside: its discovery document and its keys over https on loopback, assertions signed by `jose` as CI systems and enterprise
 * identity providers sign them, right unless a test bends them.
 */
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type Receiver, reachReceivers, startReceiver } from './receiver.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'] | Uint8Array

export interface Bent {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly signWith?: Key
}

export interface TestIssuer {
  readonly issuer: string
  readonly receiver: Receiver
  /** What it publishes; may be replaced. */
  keys: JWK[]
  /** How often its keys were fetched. */
  readonly fetches: () => number
  /** A new key, published under that id. */
  rotate(kid: string): Promise<void>
  sign(claims: Readonly<Record<string, unknown>>, bent?: Bent): Promise<string>
  close(): Promise<void>
}

export async function startIssuer(now: () => number = Date.now): Promise<TestIssuer> {
  const receiver = await startReceiver()
  const issuer = receiver.url
  let current: { kid: string; privateKey: Key }
  const test: TestIssuer = {
    issuer,
    receiver,
    keys: [],
    fetches: () => receiver.deliveries.filter(({ path }) => path === '/jwks').length,
    async rotate(kid) {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
      current = { kid, privateKey }
      test.keys = [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }]
    },
    async sign(claims, { header, claims: more, signWith } = {}) {
      const seconds = Math.floor(now() / 1000)
      const payload = { iss: issuer, jti: randomUUID(), iat: seconds, exp: seconds + 300, ...claims, ...more }
      const clean = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined))
      return new SignJWT(clean)
        .setProtectedHeader({ alg: 'ES256', kid: current.kid, typ: 'JWT', ...header })
        .sign(signWith ?? current.privateKey, { crit: { 'urn:x': true } })
    },
    close: () => receiver.close(),
  }
  await test.rotate('first')
  receiver.reply = ({ path }) => {
    if (path === '/.well-known/openid-configuration') return { body: { issuer, jwks_uri: `${issuer}/jwks` } }
    if (path === '/jwks') return { body: { keys: test.keys } }
    return { status: 404 }
  }
  return test
}

/** Configuration that trusts the issuer and lets the server reach it. */
export function trusting({ issuer }: Pick<TestIssuer, 'issuer'>, options: object): Record<string, unknown> {
  return { ...reachReceivers(), trusted_issuers: [{ issuer, ...options }] }
}
