/**
 * The keys that sign tokens: one line of keys per algorithm, stored sealed, shared by every instance.
 * A new key is published second, signs after every cache has seen it, and the old one stays published until its last token
 * has expired: Logto's outage of January 2026 came from skipping the first step. `engine.ts` rebuilds the provider when `load` changes.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { hasCode } from '../errors.ts'
import type { Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { SigningAlgorithm } from './settings.ts'

const generate = promisify(generateKeyPair)

/** A key signs between `signsFrom` and the `signsFrom` of its successor; it is published until `publishedUntil`. Milliseconds since 1970. */
export interface SigningKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly createdAt: number
  readonly signsFrom: number
  readonly publishedUntil?: number
}

interface StoredKey extends SigningKey {
  readonly use: 'sig'
  readonly sealedJwk: string
}

export interface SigningKeys {
  /** Every published key as private JWK, per algorithm the signing one first; creates the first keys of a new installation. */
  load(): Promise<KeySet>
  /** Publishes a new key of each algorithm now; it signs after `publishSeconds`, the old one leaves `retireSeconds` after that. */
  rotate(options: { publishSeconds: number; retireSeconds: number }): Promise<readonly SigningKey[]>
  list(): Promise<readonly SigningKey[]>
}

export interface KeySet {
  readonly jwks: readonly JWK[]
  /** Changes when the set or its order changes. */
  readonly version: string
}

const ALGORITHMS: readonly SigningAlgorithm[] = ['ES256', 'RS256', 'EdDSA']

export function createSigningKeys({
  store,
  vault,
  now,
}: {
  store: Store
  vault: Vault
  now: () => number
}): SigningKeys {
  const stored = async (): Promise<StoredKey[]> => {
    const page = await store.list<StoredKey>('signing_key', { group: 'use', value: 'sig', limit: 100 })
    return page.items
      .map((item) => item.value)
      .filter((key) => key.publishedUntil === undefined || key.publishedUntil > now())
  }

  const add = async (id: string, algorithm: SigningAlgorithm, signsFrom: number): Promise<void> => {
    const { jwk, kid } = await createKey(algorithm)
    const value: StoredKey = {
      kid,
      algorithm,
      use: 'sig',
      createdAt: now(),
      signsFrom,
      sealedJwk: vault.seal('signing key', JSON.stringify(jwk)),
    }
    try {
      await store.put('signing_key', { id, value }, 'create')
    } catch (error) {
      // Another instance made this installation's first key at the same time: that one counts.
      if (!hasCode(error, 'conflict')) throw error
    }
  }

  const order = (keys: readonly StoredKey[]): StoredKey[] => {
    const signs = (key: StoredKey) => key.signsFrom <= now()
    return [...keys].sort((a, b) => Number(signs(b)) - Number(signs(a)) || b.signsFrom - a.signsFrom)
  }

  const open = (key: StoredKey): JWK => {
    const plain = vault.open('signing key', key.sealedJwk)
    if (plain === undefined)
      throw new Error(`signing key ${key.kid} was sealed with a root secret that is not configured any more`)
    return JSON.parse(plain) as JWK
  }

  return {
    async load() {
      let keys = await stored()
      const missing = ALGORITHMS.filter((algorithm) => !keys.some((key) => key.algorithm === algorithm))
      if (missing.length > 0) {
        await Promise.all(missing.map((algorithm) => add(`first-${algorithm}`, algorithm, 0)))
        keys = await stored()
      }
      const ordered = order(keys)
      return { jwks: ordered.map(open), version: ordered.map((key) => key.kid).join(' ') }
    },
    async rotate({ publishSeconds, retireSeconds }) {
      const before = await store.list<StoredKey>('signing_key', { group: 'use', value: 'sig', limit: 100 })
      const signsFrom = now() + publishSeconds * 1000
      const publishedUntil = signsFrom + retireSeconds * 1000
      await Promise.all(ALGORITHMS.map((algorithm) => add(`${algorithm}-${now()}`, algorithm, signsFrom)))
      for (const item of before.items) {
        const retire = (value: StoredKey) =>
          value.publishedUntil === undefined
            ? { value: { ...value, publishedUntil }, expiresAt: publishedUntil }
            : undefined
        await store.update('signing_key', item.id, retire, item)
      }
      return this.list()
    },
    async list() {
      return order(await stored()).map(({ kid, algorithm, createdAt, signsFrom, publishedUntil }) => ({
        kid,
        algorithm,
        createdAt,
        signsFrom,
        ...(publishedUntil === undefined ? {} : { publishedUntil }),
      }))
    },
  }
}

/** The public half of each key, as served at `/.well-known/jwks.json`. */
export function publicKeys(jwks: readonly JWK[]): JWK[] {
  return jwks.map((jwk) => {
    const key = createPublicKey(createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })).export({
      format: 'jwk',
    }) as JWK
    return { ...key, kid: jwk.kid as string, alg: jwk.alg as string, use: 'sig' }
  })
}

async function createKey(algorithm: SigningAlgorithm): Promise<{ jwk: JWK; kid: string }> {
  const { privateKey } = await pair(algorithm)
  const jwk = privateKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return { jwk: { ...jwk, kid, alg: algorithm, use: 'sig' }, kid }
}

function pair(algorithm: SigningAlgorithm) {
  if (algorithm === 'ES256') return generate('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generate('ed25519')
  return generate('rsa', { modulusLength: 2048 })
}
