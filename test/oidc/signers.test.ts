/**
 * Signatures are what JWS says they are, for each algorithm, and do not wait for the pool that hashes passwords.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, scrypt, verify } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, type JWK } from 'jose'
import { signerFor } from '../../src/oidc/signers.ts'

const pairs = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

function newSigner(alg: keyof typeof pairs) {
  const { privateKey, publicKey } = pairs[alg]()
  return { publicKey, signer: signerFor({ ...(privateKey.export({ format: 'jwk' }) as JWK), kid: 'one', alg }) }
}

for (const alg of Object.keys(pairs) as (keyof typeof pairs)[]) {
  test(`a token signed by ${alg} verifies with the public key and with no other`, async () => {
    const { signer, publicKey } = newSigner(alg)
    const head = Buffer.from(JSON.stringify({ alg, kid: signer.kid })).toString('base64url')
    const text = `${head}.${Buffer.from('{}').toString('base64url')}`
    const token = `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`
    assert.equal(new TextDecoder().decode((await compactVerify(token, publicKey)).payload), '{}')
    await assert.rejects(compactVerify(token, newSigner(alg).publicKey))
  })
}

test('every ES256 signature is two numbers of 32 bytes, however short or long they are', async () => {
  const { signer, publicKey } = newSigner('ES256')
  // One number in 256 begins with a zero byte: 1500 signatures have about a dozen.
  for (let count = 0; count < 1500; count += 1) {
    const text = Buffer.from(`text ${count}`)
    const signature = await signer.sign(text)
    assert.equal(signature.length, 64)
    assert.ok(verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature), `text ${count}`)
  }
})

test('a signature does not wait for password hashes that fill the pool', async () => {
  const { signer } = newSigner('ES256')
  let hashed = 0
  const hashes = Array.from(
    { length: 16 },
    () =>
      new Promise<void>((resolve) => {
        scrypt('a password', 'salt', 32, { N: 16_384 }, () => {
          hashed += 1
          resolve()
        })
      }),
  )
  await signer.sign(Buffer.from('text'))
  assert.equal(hashed, 0)
  await Promise.all(hashes)
})

test('a signer shows the library no private part', () => {
  const { signer } = newSigner('ES256')
  assert.equal((signer.keyObject() as { type: string }).type, 'public')
  assert.ok(!('d' in signer) && !JSON.stringify(signer).includes('"d"'))
})

test('a key without a known algorithm is refused when it is loaded', () => {
  assert.throws(() => signerFor({ ...(pairs.ES256().privateKey.export({ format: 'jwk' }) as JWK), alg: 'ES512' }))
})
