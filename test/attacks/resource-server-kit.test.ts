/**
 * Attacks on APIs that the kit protects: bent tokens, proofs that belong to something else, and proofs that were seen before.
 */
import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import type { JWK } from 'jose'
import { createResourceServer } from 'licet/resource-server'
import { startLicet, type TestLicet } from 'licet/testing'
import { dpop, es256, newKey, rawJwt, type TestKey } from '../support/proofs.ts'

const API = 'https://notes.example.test'
const PLACE = `${API}/all?page=2`
let licet: TestLicet
let key: TestKey
let bound: string

before(async () => {
  licet = await startLicet({ settings: { resources: [{ identifier: API, name: 'Notes', scopes: ['data:read'] }] } })
  key = await newKey()
  bound = await licet.mintAccessToken({ audience: API, scope: 'data:read', jkt: key.thumbprint })
})
after(() => licet?.close())

const server = () => createResourceServer({ issuer: licet.issuer, audience: API })
const ask = (guard: ReturnType<typeof server>, authorization: string, proof?: string, method = 'GET') =>
  guard.check({ method, url: PLACE, headers: { authorization, ...(proof === undefined ? {} : { dpop: proof }) } })
const proofFor = (bent: Parameters<typeof dpop>[2] = {}, signer = key) =>
  dpop(signer, `${API}/all`, { method: 'GET', accessToken: bound, ...bent })

test('a bound token with its proof is let in; the query is no part of htu (RFC 9449 §4.3)', async () => {
  assert.equal((await ask(server(), `DPoP ${bound}`, await proofFor())).ok, true)
})

test('TK10: a stolen bound token is refused without a proof, as a plain bearer, and with a proof of another key', async () => {
  const stranger = await newKey()
  for (const attempt of [
    ask(server(), `DPoP ${bound}`),
    ask(server(), `Bearer ${bound}`),
    ask(server(), `Bearer ${bound}`, await proofFor()),
    ask(server(), `DPoP ${bound}`, await proofFor({}, stranger)),
  ]) {
    const verdict = await attempt
    assert.ok(!verdict.ok && verdict.status === 401)
    assert.match(String(verdict.headers['WWW-Authenticate']), /^DPoP error="invalid_token".*algs="ES256/)
  }
})

test('TK10: a proof for another method, address, token or time, of another type, or with a private key inside, is refused', async () => {
  const old = Math.floor(Date.now() / 1000) - 600
  const bent = [
    { method: 'POST' },
    { claims: { htu: `${API}/other` } },
    { claims: { htu: 'https://evil.example.test/all' } },
    { claims: { ath: 'x' } },
    { claims: { iat: old } },
    { claims: { iat: old + 1200 } },
    { header: { typ: 'JWT' } },
    { header: { jwk: key.privateJwk } },
  ]
  for (const one of bent)
    assert.equal((await ask(server(), `DPoP ${bound}`, await proofFor(one))).ok, false, JSON.stringify(one))
})

test('TK11: of 20 parallel uses of one proof exactly one is let in', async () => {
  const [guard, proof] = [server(), await proofFor()]
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => ask(guard, `DPoP ${bound}`, proof)))
  assert.equal(verdicts.filter(({ ok }) => ok).length, 1)
})

test('TK11: processes that share what they have seen let one proof in once', async () => {
  const seen = new Set<string>()
  const proofs = { isNew: async (proof: string) => !seen.has(proof) && Boolean(seen.add(proof)) }
  const guards = [1, 2].map(() => createResourceServer({ issuer: licet.issuer, audience: API, proofs }))
  const proof = await proofFor()
  const verdicts = await Promise.all(guards.map((guard) => ask(guard, `DPoP ${bound}`, proof)))
  assert.equal(verdicts.filter(({ ok }) => ok).length, 1)
})

test('JW1: a token signed with the public key as a secret, with r and s of zero, or with a critical header nobody knows, is refused', async () => {
  const { keys } = (await (await fetch(`${licet.issuer}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  const published = keys.find(({ alg }) => alg === 'ES256') as JWK
  const [, body = ''] = (await licet.mintAccessToken({ audience: API, scope: 'data:read' })).split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
  const pem = createPublicKey({ key: published as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const hmac = (input: string) => createHmac('sha256', pem).update(input).digest('base64url')
  const header = { alg: 'ES256', typ: 'at+jwt', kid: published.kid }
  const forged = [
    rawJwt({ ...header, alg: 'HS256' }, claims, hmac),
    rawJwt({ ...header, alg: 'None' }, claims),
    rawJwt(header, claims, () => Buffer.alloc(64).toString('base64url')),
    rawJwt({ ...header, crit: ['x'], x: 1 }, claims, es256(key)),
    rawJwt({ ...header, b64: false, crit: ['b64'] }, claims, es256(key)),
    rawJwt({ ...header, jwk: key.publicJwk }, claims, es256(key)),
    rawJwt({ ...header, jku: 'https://evil.example.test/jwks' }, claims, es256(key)),
    `${rawJwt({ alg: 'dir', enc: 'A256GCM' }, claims)}.x.y`,
  ]
  for (const token of forged) assert.equal((await ask(server(), `Bearer ${token}`)).ok, false, token.slice(0, 60))
})

test('JW2: a thousand unknown key ids fetch the keys once', async () => {
  let fetches = 0
  const front = createServer(async (_request, response) => {
    fetches += 1
    response.end(await (await fetch(`${licet.issuer}/.well-known/jwks.json`)).text())
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => front.once('listening', resolve))
  const issuer = `http://127.0.0.1:${(front.address() as { port: number }).port}`
  const guard = createResourceServer({ issuer, audience: API })
  for (let index = 0; index < 1000; index += 1) {
    const token = rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: `../../${index}` }, { iss: issuer }, es256(key))
    assert.equal((await ask(guard, `Bearer ${token}`)).ok, false)
  }
  front.close()
  assert.equal(fetches, 1)
})
