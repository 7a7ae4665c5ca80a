/**
 * Attacks on APIs that the kit protects: bent tokens, proofs that belong to something else, and proofs that were seen before.
 */
import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import type { JWK } from 'jose'
import { createResourceServer, protectNode } from 'licet/resource-server'
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

test('a proof without an identifier of its own is refused: it could be replayed (RFC 9449 §4.2)', async () => {
  for (const jti of [undefined, 7, {}])
    assert.equal((await ask(server(), `DPoP ${bound}`, await proofFor({ claims: { jti } }))).ok, false)
})

test('a demand for a strength that nobody knows lets nobody in, but whoever has just that', async () => {
  const shown = async (acr: string) => {
    const token = await licet.mintAccessToken({ audience: API, acr })
    return { method: 'GET', url: PLACE, headers: { authorization: `Bearer ${token}` } }
  }
  const isIn = async (acr: string, wanted: string) => (await server().check(await shown(acr), { acr: wanted })).ok
  assert.equal(await isIn('phr', 'urn:licet:acr:2f'), false)
  assert.equal(await isIn('toString', 'urn:licet:acr:1fa'), false)
  assert.equal(await isIn('urn:example:gold', 'urn:example:gold'), true)
  assert.equal(await isIn('phr', 'urn:licet:acr:2fa'), true)
})

test('an API that demands bound tokens refuses a plain one, and asks for a proof in the words of RFC 9449', async () => {
  const plain = await licet.mintAccessToken({ audience: API, scope: 'data:read' })
  const demand = { dpop: true, scopes: ['data:read'] }
  const at = { method: 'GET', url: PLACE }
  for (const headers of [{}, { authorization: `Bearer ${plain}` }]) {
    const verdict = await server().check({ ...at, headers }, demand)
    assert.ok(!verdict.ok && verdict.status === 401)
    assert.match(String(verdict.headers['WWW-Authenticate']), /^DPoP .*algs="ES256/)
  }
  const headers = { authorization: `DPoP ${bound}`, dpop: await proofFor() }
  assert.equal((await server().check({ ...at, headers }, demand)).ok, true)
})

test('whoever came with a proof is refused in the same scheme (RFC 9449 §7.1)', async () => {
  const headers = { authorization: `DPoP ${bound}`, dpop: await proofFor() }
  const verdict = await server().check({ method: 'GET', url: PLACE, headers }, { scopes: ['data:write'] })
  assert.ok(!verdict.ok && verdict.status === 403)
  assert.match(String(verdict.headers['WWW-Authenticate']), /^DPoP error="insufficient_scope"/)
})

test('a good token is not called bad while the keys cannot be fetched, and no handler is reached or process brought down', async () => {
  const answers = [
    { status: 503, body: 'down' },
    { status: 200, body: '<html>' },
    { status: 200, body: '{"keys":1}' },
  ]
  const front = createServer((_request, response) => {
    const { status, body } = answers.shift() ?? { status: 500, body: '' }
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => front.once('listening', resolve))
  const issuer = `http://127.0.0.1:${(front.address() as { port: number }).port}`
  const token = await licet.mintAccessToken({ audience: API })
  for (let index = 0; index < 3; index += 1) {
    const verdict = await ask(createResourceServer({ issuer, audience: API }), `Bearer ${token}`)
    assert.ok(!verdict.ok && verdict.status === 503 && verdict.cause instanceof Error, `answer ${index}`)
    assert.equal(verdict.headers['WWW-Authenticate'], undefined)
  }
  front.close()
  const guard = createResourceServer({ issuer: 'http://127.0.0.1:1', audience: API })
  const api = createServer((request, response) =>
    protectNode(guard, API, {})(request, response, () => assert.fail('reached')),
  ).listen(0, '127.0.0.1')
  await new Promise((resolve) => api.once('listening', resolve))
  const { port } = api.address() as { port: number }
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  api.close()
})

test('the metadata of an API is found at the address of its audience (RFC 9728 §3.1), and nowhere for one that is no address', async () => {
  const pointerOf = async (audience: string) => {
    const verdict = await createResourceServer({ issuer: licet.issuer, audience }).check({
      method: 'GET',
      url: PLACE,
      headers: {},
    })
    assert.ok(!verdict.ok)
    return verdict.headers['WWW-Authenticate']
  }
  const at = `Bearer resource_metadata="${API}/.well-known/oauth-protected-resource`
  assert.equal(await pointerOf(API), `${at}"`)
  assert.equal(await pointerOf(`${API}/v1?tenant=a`), `${at}/v1?tenant=a"`)
  assert.equal(await pointerOf('urn:example:api'), 'Bearer')
})
