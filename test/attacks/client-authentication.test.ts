/**
 * Attacks on client authentication (threats.md CA): missing and foreign proof, bent assertions (RFC 7523), keys that the
 * attacker brings along. Guesses are in `client-guesses.test.ts`.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Answer, type AppClient, basic, type Proof, registerApp } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { asserted, assertion, type Bent, es256, newKey, rawJwt, type TestKey } from '../support/proofs.ts'

let licet: Licet
let web: AppClient
let service: AppClient
let keyed: AppClient
let key: TestKey
let offsetMs = 0
before(async () => {
  licet = await startLicet({ now: () => Date.now() + offsetMs })
  web = await registerApp(licet)
  service = await registerApp(licet, { type: 'service' })
  key = await newKey()
  keyed = await registerApp(licet, {
    type: 'service',
    auth: 'private_key_jwt',
    jwks: { keys: [{ ...key.publicJwk, kid: 'mine' } as never] },
  })
})
after(() => licet.close())

const ask = (client: AppClient): Promise<Answer> => client.post('/token', { grant_type: 'client_credentials' })

function refused({ status, body, text }: Answer): void {
  assert.deepEqual([status, body.error], [401, 'invalid_client'], text)
  assert.equal(body.access_token, undefined)
}

const posted =
  (clientId: string, secret: string): Proof =>
  async () => ({ params: { client_id: clientId, client_secret: secret } })

test('CA2: a public app with a made-up secret and a confidential one without are refused', async () => {
  const spa = await registerApp(licet, { type: 'spa' })
  for (const proof of [basic(spa.clientId, 'made-up'), posted(spa.clientId, 'made-up')])
    refused(await spa.with(proof).refresh('x'))
  for (const client of [web, service, keyed]) {
    refused(await client.with(posted(client.clientId, '')).post('/token', { grant_type: 'client_credentials' }))
    const none = await client.with(async () => ({})).post('/token', { grant_type: 'client_credentials' })
    refused(none)
  }
})

test('CA2: an app proves itself in the way it registered and in no other', async () => {
  refused(await ask(keyed.with(basic(keyed.clientId, 'kept-as-a-digest'))))
  refused(await ask(service.with(asserted(() => assertion(key, service)))))
  refused(await ask(service.with(basic(service.clientId, 'kept-as-a-digest'))))
})

const bends: Record<string, () => Bent> = {
  'the token endpoint as audience': () => ({ claims: { aud: `${licet.issuer}/token` } }),
  'the issuer in a list': () => ({ claims: { aud: [licet.issuer] } }),
  'our issuer and a foreign one': () => ({ claims: { aud: [licet.issuer, 'https://other.example.test'] } }),
  'a foreign audience': () => ({ claims: { aud: 'https://other.example.test' } }),
  'the issuer with a slash': () => ({ claims: { aud: `${licet.issuer}/` } }),
  'no audience': () => ({ claims: { aud: undefined } }),
  'no exp': () => ({ claims: { exp: undefined } }),
  'an exp in ten years': () => ({ claims: { exp: seconds() + 315_360_000 } }),
  'an exp in ten minutes': () => ({ claims: { exp: seconds() + 600 } }),
  'an exp that is past': () => ({ claims: { exp: seconds() - 60 } }),
  'an exp that is text': () => ({ claims: { exp: '9999999999' } }),
  'an iat in an hour': () => ({ claims: { iat: seconds() + 3600 } }),
  'an nbf in an hour': () => ({ claims: { nbf: seconds() + 3600 } }),
  'no jti': () => ({ claims: { jti: undefined } }),
  'a foreign iss': () => ({ claims: { iss: web.clientId } }),
  'a foreign sub': () => ({ claims: { sub: web.clientId } }),
  'no sub': () => ({ claims: { sub: undefined } }),
  'the signature of another key': () => ({ signWith: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }),
  'HMAC with the public key': () => ({
    header: { alg: 'HS256' },
    signWith: Buffer.from(JSON.stringify(key.publicJwk).padEnd(64)),
  }),
  'another key inside': () => ({ header: { jwk: attacker.publicJwk, kid: 'mine' }, signWith: attacker.privateKey }),
}
const seconds = () => Math.floor(Date.now() / 1000)
const attacker = await newKey()

for (const [what, bend] of Object.entries(bends)) {
  test(`CA3, CA4: an assertion with ${what} is refused`, async () => {
    refused(await ask(keyed.with(asserted(() => assertion(key, keyed, bend())))))
  })
}

test('CA4: unsigned and garbled assertions, and critical headers nobody knows, are refused', async () => {
  const payload = () => ({
    iss: keyed.clientId,
    sub: keyed.clientId,
    aud: licet.issuer,
    jti: randomUUID(),
    exp: seconds() + 60,
  })
  for (const alg of ['none', 'None', 'HS256', 'ES384', 'RSA-OAEP'])
    refused(await ask(keyed.with(asserted(async () => rawJwt({ alg }, payload())))))
  refused(
    await ask(
      keyed.with(
        asserted(async () => rawJwt({ alg: 'ES256' }, payload(), () => Buffer.alloc(64).toString('base64url'))),
      ),
    ),
  )
  for (const more of [{ crit: ['x'], x: 1 }, { crit: ['b64'], b64: false }, { crit: [] }])
    refused(await ask(keyed.with(asserted(async () => rawJwt({ alg: 'ES256', ...more }, payload(), es256(key))))))
  for (const text of ['x', 'a.b.c', '..', 'e30.e30.AA']) {
    const { status, body } = await ask(keyed.with(asserted(async () => text)))
    assert.ok(status === 400 || status === 401, `${status}`)
    assert.equal(body.access_token, undefined)
  }
  assert.equal(
    (await ask(keyed.with(asserted(async () => rawJwt({ alg: 'ES256' }, payload(), es256(key)))))).status,
    200,
  )
})

test('CA5: an assertion is taken once, also at another endpoint', async () => {
  const one = await assertion(key, keyed)
  const thief = keyed.with(asserted(async () => one))
  assert.equal((await ask(thief)).status, 200)
  refused(await ask(thief))
  refused(await thief.introspect('x'))
  refused(await thief.revoke('x'))
})

test('CA6: keys that an assertion points to are never fetched', async (t) => {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.end(JSON.stringify({ keys: [attacker.publicJwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  for (const header of [
    { jku: url },
    { x5u: url },
    { jku: url, kid: 'mine' },
    { kid: url },
    { kid: '../../../etc/passwd' },
  ])
    refused(await ask(keyed.with(asserted(() => assertion(attacker, keyed, { header })))))
  assert.equal(asked, 0)
})

test('CA7: a certificate in a header proves nothing', async () => {
  for (const name of [
    'x-ssl-client-cert',
    'x_ssl_client_cert',
    'x-client-cert',
    'client-cert',
    'x-forwarded-client-cert',
  ]) {
    const answer = await service
      .with(async () => ({ headers: { [name]: '-----BEGIN CERTIFICATE-----' } }))
      .post('/token', { grant_type: 'client_credentials' })
    refused(answer)
  }
})

test('CA8: a secret is stored as a digest, shown once, and dead at once when rotated without overlap', async () => {
  const app = await registerApp(licet, { type: 'service' })
  const secret = app.secret ?? ''
  const stored = JSON.stringify(await licet.core.store.find('app', app.clientId))
  assert.ok(!stored.includes(secret) && !stored.includes(secret.slice(9, 30)))
  const shown = JSON.stringify(await licet.core.apps.getById(app.clientId))
  assert.ok(!shown.includes(secret))
  await licet.core.apps.rotateSecret(operator, app.clientId, { overlapSeconds: 0 })
  offsetMs += 1_001
  refused(await ask(app))
  const records = await licet.core.store.read(app.clientId, { limit: 50 })
  assert.ok(!JSON.stringify(records).includes(secret))
  assert.ok(!licet.log.join('').includes(secret))
})
