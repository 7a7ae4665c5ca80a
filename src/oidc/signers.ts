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

/** RFC 7518 §3.4: an ECDSA signature is both numbers side by side, not the ASN.1 that OpenSSL makes by default. */
function signatureBy(algorithm: string | undefined, key: KeyObject): (text: Uint8Array) => Buffer | Promise<Buffer> {
  if (algorithm === 'ES256') return (text) => sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' })
  if (algorithm === 'EdDSA') return (text) => sign(null, text, key)
  if (algorithm === 'RS256') return (text) => signInPool('sha256', text, { key })
  throw new TypeError(`no signer for ${algorithm}`)
}
