/**
 * The private keys as the library signs with them. Short signatures are made on the spot: through libuv's pool each costs twice the processor
 * time, and waits behind the password hashes that fill it (`accounts/password.ts`). RSA takes a millisecond and stays in the pool.
 */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'jose'
import { ExternalSigningKey } from 'oidc-provider'

const signInPool = promisify(sign) as (
  digest: string | undefined,
  text: Uint8Array,
  key: { key: KeyObject },
) => Promise<Buffer>

/** One key of `signing-keys.ts`, which has `kid` and `alg`. The library asks it for signatures and for its public half, never for more. */
export function signerFor(jwk: JWK): ExternalSigningKey {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  const publicKey = createPublicKey(key)
  const signature = signatureBy(jwk.alg, key)

  class Signer extends ExternalSigningKey {
    override keyObject(): KeyObject {
      return publicKey
    }
    override async sign(text: Uint8Array): Promise<Uint8Array> {
      return signature(text)
    }
  }
  return Object.assign(new Signer(), { kid: jwk.kid, alg: jwk.alg })
}

/** Signs a payload as an access token (RFC 9068 §2.1), with the first key of that algorithm. */
export function accessTokenSigner(jwks: readonly JWK[]) {
  const signers = new Map<string, { head: string; signature: ReturnType<typeof signatureBy> }>()
  for (const jwk of jwks) {
    const { alg = '', kid } = jwk
    if (signers.has(alg)) continue
    const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
    signers.set(alg, { head: encoded({ alg, typ: 'at+jwt', kid }), signature: signatureBy(alg, key) })
  }
  return async (algorithm: string, payload: object): Promise<string> => {
    const signer = signers.get(algorithm)
    if (!signer) throw new TypeError(`no key for ${algorithm}`)
    const text = `${signer.head}.${encoded(payload)}`
    return `${text}.${Buffer.from(await signer.signature(Buffer.from(text))).toString('base64url')}`
  }
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A key that is handed over alone is recognised at once; with options around it, that alone costs as much as the signature. */
function signatureBy(algorithm: string | undefined, key: KeyObject): (text: Uint8Array) => Buffer | Promise<Buffer> {
  if (algorithm === 'ES256') return (text) => sideBySide(sign('sha256', text, key))
  if (algorithm === 'EdDSA') return (text) => sign(null, text, key)
  if (algorithm === 'RS256') return (text) => signInPool('sha256', text, { key })
  throw new TypeError(`no signer for ${algorithm}`)
}

/**
 * RFC 7518 §3.4: an ECDSA signature is both numbers side by side, 32 bytes each. OpenSSL makes ASN.1: a sequence of two integers,
 * each with its length before it, without leading zeros but for one that keeps it positive.
 */
function sideBySide(asn1: Buffer): Buffer {
  const signature = Buffer.alloc(64)
  const firstEnd = 4 + asn1.readUInt8(3)
  for (const [integer, end] of [
    [asn1.subarray(4, firstEnd), 32],
    [asn1.subarray(firstEnd + 2), 64],
  ] as const) {
    const number = integer.subarray(-32)
    number.copy(signature, end - number.length)
  }
  return signature
}
