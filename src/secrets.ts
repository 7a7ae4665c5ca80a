/**
 * Everything random, digested, compared or sealed.
 * Bearer values are stored as digests; secrets that must come back are sealed with a key derived from the root secret.
 * Keys are derived per purpose (HKDF, RFC 5869), so a value sealed for one purpose never opens for another.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Asking the operating system costs the same for 12 bytes as for 4096: randomness is drawn ahead, and wiped where it was handed out. */
const pool = Buffer.alloc(4096)
let drawn = pool.length

function randomBytes(size: number): Buffer {
  if (drawn + size > pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const bytes = Buffer.from(pool.subarray(drawn, drawn + size))
  pool.fill(0, drawn, drawn + size)
  drawn += size
  return bytes
}

/** `length` characters of base62 from the operating system's randomness; 22 characters hold 130 bits. */
export function randomId(length = 22): string {
  let id = ''
  while (id.length < length) {
    for (const byte of randomBytes(Math.min(length, 64))) {
      // 248 = 4 × 62: larger bytes are dropped so that every character is equally likely.
      if (byte < 248 && id.length < length) id += BASE62[byte % 62]
    }
  }
  return id
}

/** 43 characters of base64url: 256 bits. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The stored form of a bearer value of at least 128 random bits: SHA-256 over purpose and value, base64url.
 * It is not keyed on purpose: the value cannot be guessed, and a rotation of the root secret must not orphan it.
 * Short codes go through `Vault.fingerprint` instead.
 */
export function digest(purpose: string, value: string): string {
  return hash('sha256', `${purpose}\0${value}`, 'base64url')
}

/** Compares without telling where two strings differ; both are digested first, so lengths do not matter. */
export function equalSecrets(left: string, right: string): boolean {
  return timingSafeEqual(hash('sha256', left, 'buffer'), hash('sha256', right, 'buffer'))
}

/** Seals and opens with the root secrets; the first is current, the others still open what they sealed. */
export interface Vault {
  /** AES-256-GCM; the envelope is `<key id>.<iv, ciphertext and tag in base64url>`. */
  seal(purpose: string, plain: string): string
  /** The plain text, or undefined if it was sealed for another purpose, with an unknown key, or was altered. */
  open(purpose: string, sealed: string): string | undefined
  /** Keyed digest (HMAC-SHA-256) for values short enough to be guessed: user codes, one-time codes, addresses. */
  fingerprint(purpose: string, value: string): string
  /** Key material for signing cookies, current first. */
  readonly cookieKeys: readonly string[]
}

/** @param rootSecrets current first; each at least 32 characters. */
export function createVault(rootSecrets: readonly string[]): Vault {
  const keys = new Map<string, KeyObject>()
  const roots = rootSecrets.map((root) => ({
    root,
    id: hash('sha256', `licet key id\0${root}`, 'base64url').slice(0, 8),
  }))
  const [current] = roots
  if (!current) throw new TypeError('a vault needs at least one root secret')

  // A `KeyObject`: with plain bytes, making a key of them costs as much as the sealing.
  const keyFor = (root: { root: string; id: string }, purpose: string): KeyObject => {
    const name = `${root.id}\0${purpose}`
    const known = keys.get(name)
    if (known) return known
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', root.root, 'licet', purpose, 32)))
    keys.set(name, key)
    return key
  }

  return {
    seal(purpose, plain) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyFor(current, `seal ${purpose}`), iv)
      const body = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${current.id}.${body.toString('base64url')}`
    },
    open(purpose, sealed) {
      const [id, encoded] = sealed.split('.', 2)
      const root = roots.find((candidate) => candidate.id === id)
      if (!root || !encoded) return undefined
      const body = Buffer.from(encoded, 'base64url')
      if (body.length < 28) return undefined
      const decipher = createDecipheriv('aes-256-gcm', keyFor(root, `seal ${purpose}`), body.subarray(0, 12))
      decipher.setAuthTag(body.subarray(-16))
      try {
        return decipher.update(body.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        return undefined
      }
    },
    fingerprint(purpose, value) {
      return createHmac('sha256', keyFor(current, `fingerprint ${purpose}`))
        .update(value)
        .digest('base64url')
    },
    cookieKeys: roots.map((root) => keyFor(root, 'cookie signature').export().toString('base64url')),
  }
}
