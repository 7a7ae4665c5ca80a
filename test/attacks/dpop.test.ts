/**
 * Attacks on sender-constrained tokens (threats.md TK10, TK12): stolen, bent and forged DPoP proofs (RFC 9449) at the token endpoint and at
 * userinfo, and tokens shown to a resource they are not for.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Answer, type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { type Bent, dpop, es256, newKey, rawJwt, type TestKey } from '../support/proofs.ts'

let licet: Licet
let app: AppClient
let spa: AppClient
let service: AppClient
let who: SignedIn
let key: TestKey
before(async () => {
  licet = await startLicet()
  app = await registerApp(licet)
  spa = await registerApp(licet, { type: 'spa' })
  service = await registerApp(licet, { type: 'service' })
  who = await newPerson(licet)
  key = await newKey()
})
after(() => licet.close())

const tokenUrl = () => `${licet.issuer}/token`
const now = () => Math.floor(Date.now() / 1000)

const tryProof = (proof: string | string[]): Promise<Answer> =>
  service.post('/token', { grant_type: 'client_credentials' }, { headers: { dpop: proof } })

function refusedProof({ status, body, text }: Answer): void {
  assert.equal(status, 400, text)
  assert.equal(body.error, 'invalid_dpop_proof', text)
}

const bends: Record<string, () => Bent & { method?: string }> = {
  'another method': () => ({ claims: { htm: 'GET' } }),
  'another address': () => ({ claims: { htu: 'https://other.example.test/token' } }),
  'another endpoint of this server': () => ({ claims: { htu: `${licet.issuer}/userinfo` } }),
  'a relative address': () => ({ claims: { htu: '/token' } }),
  'no address': () => ({ claims: { htu: undefined } }),
  'no identifier': () => ({ claims: { jti: undefined } }),
  'a number for an identifier': () => ({ claims: { jti: 7 } }),
  'an iat ten minutes ago': () => ({ claims: { iat: now() - 600 } }),
  'an iat in ten minutes': () => ({ claims: { iat: now() + 600 } }),
  'an iat that is text': () => ({ claims: { iat: String(now()) } }),
  'no iat': () => ({ claims: { iat: undefined } }),
  'another type': () => ({ header: { typ: 'JWT' } }),
  'a private key inside': () => ({ header: { jwk: key.privateJwk } }),
  'no key inside': () => ({ header: { jwk: undefined } }),
  'a symmetric key': () => ({
    header: { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } },
    signWith: Buffer.alloc(32, 'secret'),
  }),
  'the signature of another key': () => ({
    signWith: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  }),
  'a nonce that we did not give': () => ({ claims: { nonce: 'made up' } }),
}
for (const [what, bend] of Object.entries(bends)) {
  test(`TK10: a proof with ${what} is refused`, async () => {
    const answer = await tryProof(await dpop(key, tokenUrl(), bend()))
    assert.equal(answer.status, 400, answer.text)
    assert.ok(['invalid_dpop_proof', 'use_dpop_nonce'].includes(answer.body.error ?? ''), answer.text)
    assert.equal(answer.body.access_token, undefined)
  })
}

test('TK10: unsigned, garbled and doubled proofs are refused', async () => {
  const payload = { htm: 'POST', htu: tokenUrl(), jti: 'x', iat: now() }
  for (const alg of ['none', 'None', 'nOnE'])
    refusedProof(await tryProof(rawJwt({ alg, typ: 'dpop+jwt', jwk: key.publicJwk }, payload)))
  for (const text of ['x', '..', 'a.b.c', 'e30.e30.', `${'A'.repeat(4000)}.e30.AA`]) refusedProof(await tryProof(text))
  const good = () => dpop(key, tokenUrl())
  refusedProof(await tryProof([await good(), await good()]))
  refusedProof(await tryProof(`${await good()}, ${await good()}`))
})

test('TK10: a proof with a critical header that nobody knows is refused', async () => {
  const payload = { htm: 'POST', htu: tokenUrl(), iat: now() }
  const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: key.publicJwk }
  for (const more of [
    { crit: ['exp'], exp: now() + 60 },
    { crit: ['x'], x: 1 },
    { crit: [] },
    { crit: ['b64'], b64: false },
  ])
    refusedProof(await tryProof(rawJwt({ ...header, ...more }, { ...payload, jti: randomUUID() }, es256(key))))
  assert.equal((await tryProof(rawJwt(header, { ...payload, jti: randomUUID() }, es256(key)))).status, 200)
})

test('TK10: the address in a proof is compared with the issuer, never with the Host of the request', async () => {
  const proof = await dpop(key, 'http://evil.example.test/token')
  const { status } = await service.post(
    '/token',
    { grant_type: 'client_credentials' },
    { headers: { dpop: proof, host: 'evil.example.test' } },
  )
  assert.equal(status, 421)
  refusedProof(await tryProof(proof))
  assert.equal((await tryProof(await dpop(key, `${tokenUrl()}?query=1#part`))).status, 200, 'RFC 9449 §4.3')
})

test('TK10: a proof taken once is refused the second time, with any query behind its address', async () => {
  const proof = await dpop(key, tokenUrl())
  assert.equal((await tryProof(proof)).status, 200)
  const again = await tryProof(proof)
  assert.ok(again.status === 400 || again.status === 401, again.text)
  assert.equal(again.body.access_token, undefined)
})

test('TK10: a code asked for with dpop_jkt is redeemed only with a proof of that key', async () => {
  const other = await newKey()
  for (const client of [app, spa]) {
    const pending = await client.obtainCode(who.person, who.email, { dpop_jkt: key.thumbprint })
    for (const headers of [{}, { dpop: await dpop(other, tokenUrl()) }]) {
      const refused = await client.redeem(pending, {}, { headers })
      assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant'], refused.text)
    }
    const good = await client.redeem(pending, {}, { headers: { dpop: await dpop(key, tokenUrl()) } })
    assert.equal(good.status, 200, good.text)
    assert.equal(good.body['token_type'], 'DPoP')
  }
})

test('TK10: an app that demands DPoP gets no token without a proof', async () => {
  const strict = await registerApp(licet, { dpop: true })
  const pending = await strict.obtainCode(who.person, who.email)
  const bare = await strict.redeem(pending)
  assert.equal(bare.status, 400, bare.text)
  assert.equal(bare.body.access_token, undefined)
  const good = await strict.redeem(pending, {}, { headers: { dpop: await dpop(key, tokenUrl()) } })
  assert.equal(good.status, 200, good.text)
  assert.equal((await strict.refresh(good.body.refresh_token)).status, 400)
})

test('TK10: a bound access token is worth nothing without a fresh proof of its key for exactly that token', async () => {
  const pending = await spa.obtainCode(who.person, who.email)
  const { body } = await spa.redeem(pending, {}, { headers: { dpop: await dpop(key, tokenUrl()) } })
  const token = body.access_token
  const url = `${licet.issuer}/userinfo`
  const authorization = `DPoP ${token}`
  const get = { method: 'GET', accessToken: token }
  const other = await newKey()
  const refused = [
    { authorization: `Bearer ${token}` },
    { authorization },
    { authorization, dpop: await dpop(other, url, get) },
    { authorization, dpop: await dpop(key, url, { method: 'GET' }) },
    { authorization, dpop: await dpop(key, url, { method: 'GET', accessToken: 'another token' }) },
    { authorization, dpop: await dpop(key, url, { accessToken: token }) },
    { authorization: `Bearer ${token}`, dpop: await dpop(key, url, get) },
  ]
  for (const headers of refused) {
    const answer = await spa.userinfo(token, { headers })
    assert.ok(answer.status === 400 || answer.status === 401, `${JSON.stringify(headers)} ${answer.text}`)
    assert.equal(answer.body['sub'], undefined)
  }
  const proof = await dpop(key, url, get)
  assert.equal((await spa.userinfo(token, { headers: { authorization, dpop: proof } })).status, 200)
  assert.equal((await spa.userinfo(token, { headers: { authorization, dpop: proof } })).status, 401, 'replayed')
})

test('TK10: a bearer token is not upgraded by whoever shows a proof with it', async () => {
  const { body } = await spa.redeem(await spa.obtainCode(who.person, who.email))
  const url = `${licet.issuer}/userinfo`
  const proof = await dpop(key, url, { method: 'GET', accessToken: body.access_token })
  const answer = await spa.userinfo(body.access_token, {
    headers: { authorization: `DPoP ${body.access_token}`, dpop: proof },
  })
  assert.equal(answer.status, 401, answer.text)
})
