/**
 * An authenticator in software: makes ES256 passkeys and signs with them as a browser would answer, for tests without one. Every field of an
 * answer can be bent, so that attacks are ordinary calls.
 */
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'

export interface Bent {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly counter?: number
  /** Bits of the authenticator: 1 present, 4 verified. */
  readonly flags?: number
  readonly type?: string
  readonly userHandle?: string | null
  readonly rawId?: string
  readonly crossOrigin?: boolean
  readonly id?: string
  readonly algorithm?: number
}

const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url')
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()

/** One passkey of one person for the server at `origin`. */
export function createPasskey(origin: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const id = randomBytes(16)
  let counter = 0
  let userHandle = ''

  const clientJson = (type: string, challenge: string, bent: Bent) =>
    JSON.stringify({
      type: bent.type ?? type,
      challenge: bent.challenge ?? challenge,
      origin: bent.origin ?? origin,
      crossOrigin: bent.crossOrigin ?? false,
    })
  const head = (bent: Bent, extraFlags: number) => {
    counter = bent.counter ?? counter + 1
    const count = Buffer.alloc(4)
    count.writeUInt32BE(counter)
    const flags = Buffer.of((bent.flags ?? 5) | extraFlags)
    return Buffer.concat([sha256(bent.rpId ?? new URL(origin).hostname), flags, count])
  }
  const envelope = (bent: Bent, response: object) => {
    const name = bent.id ?? b64(id)
    return { id: name, rawId: bent.rawId ?? name, type: 'public-key', clientExtensionResults: {}, response }
  }

  return {
    credentialId: b64(id),
    /** Answers `navigator.credentials.create`. */
    register(options: { challenge: string; user: { id: string } }, bent: Bent = {}) {
      userHandle = options.user.id
      const key = cborKey(jwk.x ?? '', jwk.y ?? '', bent.algorithm ?? -7)
      const attested = Buffer.concat([Buffer.alloc(16), Buffer.of(0, id.length), id, key])
      const authenticator = Buffer.concat([head(bent, 0x40), attested])
      const attestation = Buffer.concat([
        Buffer.of(0xa3),
        cborText('fmt'),
        cborText('none'),
        cborText('attStmt'),
        Buffer.of(0xa0),
        cborText('authData'),
        cborBytes(authenticator),
      ])
      return envelope(bent, {
        clientDataJSON: b64(clientJson('webauthn.create', options.challenge, bent)),
        attestationObject: b64(attestation),
        transports: ['internal'],
      })
    },
    /** Answers `navigator.credentials.get`. */
    sign(options: { challenge: string }, bent: Bent = {}) {
      const authenticator = head(bent, 0)
      const client = clientJson('webauthn.get', options.challenge, bent)
      const signature = createSign('sha256').update(authenticator).update(sha256(client)).sign(privateKey)
      const handle = bent.userHandle === undefined ? userHandle : bent.userHandle
      return envelope(bent, {
        clientDataJSON: b64(client),
        authenticatorData: b64(authenticator),
        signature: b64(signature),
        ...(handle === null ? {} : { userHandle: handle }),
      })
    },
  }
}

function cborText(text: string): Buffer {
  return Buffer.concat([Buffer.of(0x60 + text.length), Buffer.from(text)])
}

function cborBytes(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x59, bytes.length >> 8, bytes.length & 0xff), bytes])
}

/** COSE_Key of P-256: kty 2, alg, crv 1, x, y. */
function cborKey(x: string, y: string, algorithm: number): Buffer {
  const alg = algorithm >= -24 ? Buffer.of(0x20 - 1 - algorithm) : Buffer.of(0x38, -1 - algorithm)
  const coordinate = (value: string) => Buffer.concat([Buffer.of(0x58, 32), Buffer.from(value, 'base64url')])
  const start = Buffer.concat([Buffer.of(0xa5, 0x01, 0x02, 0x03), alg, Buffer.of(0x20, 0x01, 0x21)])
  return Buffer.concat([start, coordinate(x), Buffer.of(0x22), coordinate(y)])
}
