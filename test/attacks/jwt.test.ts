/**
 * Attacks on signed tokens and the keys behind them (threats.md JW): forged headers, one kind of token passed off as another, private keys
 * looked for where only public ones belong.
 */
import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import { after, before, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, type JWK } from 'jose'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { asserted, assertion, es256, newKey, rawJwt, type TestKey } from '../support/proofs.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
let keyed: AppClient
let who: SignedIn
let mine: TestKey
let access: string
let id: string
let refresh: string
let published: JWK[]
before(async () => {
  licet = await startLicet()
  mine = await newKey()
  app = await registerApp(licet)
  keyed = await registerApp(licet, { auth: 'private_key_jwt', jwks: { keys: [mine.publicJwk as never] } })
  who = await newPerson(licet)
  const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
  ;({ access_token: access, id_token: id, refresh_token: refresh } = body)
  published = await jwks()
})
after(() => licet.close())

const jwks = async (): Promise<JWK[]> => {
  const { text } = await sendOnWire(licet.issuer, 'GET', '/.well-known/jwks.json')
  return (JSON.parse(text) as { keys: JWK[] }).keys
}

const pem = (jwk: JWK): string =>
  createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
    .export({ format: 'pem', type: 'spki' })
    .toString()

/** The token counts nowhere: not at userinfo, not at introspection, and revoking it does nothing to the real one. */
async function countsNowhere(token: string): Promise<void> {
  const userinfo = await app.userinfo(token)
  assert.ok(userinfo.status === 400 || userinfo.status === 401, `${userinfo.status} ${userinfo.text}`)
  const introspected = await app.introspect(token)
  assert.ok(introspected.status === 200 || introspected.status === 413 || introspected.status === 400)
  assert.notEqual(introspected.body.active, true)
  const revoked = await app.revoke(token)
  assert.ok(revoked.status < 500)
  assert.equal((await app.userinfo(access)).status, 200)
}

test('JW1: unsigned tokens and tokens signed with a public key as a shared secret count nowhere', async () => {
  const [header, payload] = [decodeProtectedHeader(access), decodeJwt(access)]
  for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
    await countsNowhere(rawJwt({ ...header, alg }, payload))
    await countsNowhere(rawJwt({ ...header, alg }, payload, () => access.split('.')[2] ?? ''))
  }
  for (const key of published) {
    for (const secret of [pem(key), JSON.stringify(key), String(key.n ?? key.x)]) {
      const hmac = (input: string) => createHmac('sha256', secret).update(input).digest('base64url')
      await countsNowhere(rawJwt({ ...header, alg: 'HS256', kid: key.kid }, payload, hmac))
    }
  }
})

test('JW1: empty, zero and foreign signatures, and another algorithm for the same key, count nowhere', async () => {
  const [header, payload] = [decodeProtectedHeader(access), decodeJwt(access)]
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const rs256 = (input: string) => sign('sha256', Buffer.from(input), rsa).toString('base64url')
  const forgeries = [
    rawJwt(header, payload),
    rawJwt(header, payload, () => Buffer.alloc(64).toString('base64url')),
    rawJwt(header, payload, es256(mine)),
    rawJwt({ ...header, jwk: mine.publicJwk }, payload, es256(mine)),
    rawJwt({ alg: 'ES256', typ: 'at+jwt' }, payload, es256(mine)),
    rawJwt({ ...header, alg: 'RS256' }, payload, rs256),
    rawJwt({ ...header, alg: 'PS256', kid: published.find(({ kty }) => kty === 'RSA')?.kid }, payload, rs256),
    `${access.split('.').slice(0, 2).join('.')}.${id.split('.')[2]}`,
    rawJwt(header, { ...payload, sub: 'someone-else' }, () => access.split('.')[2] ?? ''),
  ]
  for (const forgery of forgeries) await countsNowhere(forgery)
})

test('JW1: critical headers, other serialisations, encrypted tokens and huge headers count nowhere', async () => {
  const [header, payload] = [decodeProtectedHeader(access), decodeJwt(access)]
  const [head = '', body = '', signature = ''] = access.split('.')
  const forgeries = [
    rawJwt({ ...header, crit: ['exp'] }, payload, es256(mine)),
    rawJwt({ ...header, b64: false, crit: ['b64'] }, payload, es256(mine)),
    JSON.stringify({ protected: head, payload: body, signature }),
    `${Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString('base64url')}..AAAA.AAAA.AAAA`,
    rawJwt({ ...header, x: 'A'.repeat(100_000) }, payload),
    `${access}=`,
    `${access}.`,
    `${head}=.${body}.${signature}`,
  ]
  for (const forgery of forgeries.filter(({ length }) => length < 12_000)) await countsNowhere(forgery)
  const huge = await app.introspect(forgeries.find(({ length }) => length >= 12_000) ?? '')
  assert.ok(huge.status < 500 && huge.body.active !== true, huge.text)
})

test('JW2: a kid is looked up among our keys only, whatever it looks like', async () => {
  const payload = decodeJwt(access)
  const started = performance.now()
  for (const kid of [
    '../../../../dev/null',
    "' OR 1=1 --",
    'http://127.0.0.1:1/keys',
    '',
    '__proto__',
    'x'.repeat(2_000),
  ])
    await countsNowhere(rawJwt({ alg: 'ES256', typ: 'at+jwt', kid }, payload, es256(mine)))
  await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const token = rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: `unknown-${index}` }, payload, es256(mine))
      assert.equal((await app.introspect(token)).body.active, false)
    }),
  )
  assert.ok(performance.now() - started < 20_000)
})

test('JW2: published keys have distinct ids', () => {
  assert.equal(new Set(published.map(({ kid }) => kid)).size, published.length)
})

test('JW3: an ID token is no access token, and an access token no ID token hint', async () => {
  await countsNowhere(id)
  const hinted = await sendOnWire(licet.issuer, 'GET', `/logout?id_token_hint=${access}`)
  assert.ok(hinted.status === 400 || hinted.text.includes('name="logout"'), `${hinted.status}`)
  const back = await app.obtainCode(who.person, who.email).catch((error: unknown) => error)
  assert.ok(!(back instanceof Error), 'the session lives')
})

test('JW3: a client assertion is no access token, a token of ours no client assertion', async () => {
  const made = await assertion(mine, keyed)
  await countsNowhere(made)
  await countsNowhere(await assertion(mine, keyed, { header: { typ: 'at+jwt' }, claims: decodeJwt(access) }))
  for (const token of [access, id]) {
    const answer = await keyed.with(asserted(async () => token)).introspect('x')
    assert.ok(answer.status === 400 || answer.status === 401, answer.text)
  }
})

test('JW3: every access token says at+jwt, and none of ours is accepted under another type', async () => {
  assert.equal(decodeProtectedHeader(access).typ, 'at+jwt')
  assert.notEqual(decodeProtectedHeader(id).typ, 'at+jwt')
  assert.equal(decodeJwt(id).aud, app.clientId)
})

test('JW4: no published key is one of the library, and every installation has its own', async (t) => {
  const other = await startLicet()
  t.after(() => other.close())
  const { text } = await sendOnWire(other.issuer, 'GET', '/.well-known/jwks.json')
  const theirs = new Set((JSON.parse(text) as { keys: JWK[] }).keys.map(({ kid }) => kid))
  assert.ok(published.every(({ kid }) => !theirs.has(kid)))
  assert.ok(published.every(({ kid }) => kid !== 'keystore-CHANGE-ME'))
})

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

test('JW6: what is published holds no private member of a key', () => {
  assert.ok(published.length >= 3)
  for (const key of published)
    assert.deepEqual(
      Object.keys(key).filter((member) => PRIVATE.includes(member)),
      [],
    )
})

test('JW6: no private key stands in the store, the log, or in what lists keys', async () => {
  const { jwks: keys } = await licet.core.signingKeys.load()
  const secrets = keys
    .flatMap((key) => PRIVATE.map((member) => (key as Record<string, unknown>)[member]))
    .filter(Boolean)
  assert.ok(secrets.length >= 3)
  const { items } = await licet.core.store.list('signing_key', { limit: 100 })
  const listed = await licet.core.signingKeys.list()
  const places = [JSON.stringify(items), JSON.stringify(listed), licet.log.join('')]
  for (const secret of secrets) assert.ok(places.every((place) => !place.includes(String(secret))))
})

test('JW6: neither errors nor answers of any token endpoint carry key material', async () => {
  const { jwks: keys } = await licet.core.signingKeys.load()
  const secrets = keys.map(({ d }) => String(d))
  const answers = [
    await app.refresh(refresh),
    await app.introspect(access),
    await app.redeem({ code: 'x', verifier: 'x'.repeat(43) }),
    await app.userinfo('x'),
  ]
  for (const { text } of answers) assert.ok(secrets.every((secret) => !text.includes(secret)))
})
