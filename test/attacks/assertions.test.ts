/**
 * Attacks on assertions of trusted issuers (threats.md TK13, CA3 to CA6, JW1, JW2, FE11): forged, for somebody else, ended, used before; subjects that look
 * like another one; keys that are not to be had.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt, exportSPKI, importJWK } from 'jose'
import { type AppClient, appClient, nobody, outcome, registerApp, tally } from '../support/app-client.ts'
import { JWT_BEARER, startIssuer, type TestIssuer, trusting } from '../support/issuer.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { ASSERTION_TYPE, es256, newKey, rawJwt } from '../support/proofs.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses } from '../support/two-processes.ts'

const SUBJECT = 'repo:acme/app:ref:refs/heads/main'
const app = { client_id: 'deploy', name: 'Deploy', type: 'service', auth: 'workload_identity', scopes: ['data:read'] }
const workloads = [{ app: 'deploy', subject: 'repo:acme/app:ref:refs/heads/*' }]

let time = Date.now()
let ci: TestIssuer
let licet: Licet
let nameless: AppClient
before(async () => {
  ci = await startIssuer(() => time)
  const options = { workloads: [...workloads, { app: 'secretive', subject: 'other' }] }
  licet = await startLicet({ now: () => time, file: { ...trusting(ci, options), apps: [app] } })
  nameless = appClient({ issuer: licet.issuer, clientId: '', secret: undefined, proof: nobody })
})
after(async () => {
  await licet.close()
  await ci.close()
})

const claims = (more = {}) => ({ sub: SUBJECT, aud: licet.issuer, ...more })
const seconds = () => Math.floor(time / 1000)
const asGrant = (assertion: string, more = {}) =>
  nameless.post('/token', { client_id: undefined, grant_type: JWT_BEARER, assertion, ...more })
const asProof = (assertion: string, more = {}) =>
  nameless.post('/token', {
    client_id: undefined,
    grant_type: 'client_credentials',
    client_assertion: assertion,
    client_assertion_type: ASSERTION_TYPE,
    ...more,
  })

/** Refused both as a grant and as a proof, in the words of RFC 7523 §3. */
async function refusedBothWays(make: () => Promise<string> | string, what: string): Promise<void> {
  const [grant, proof] = [await asGrant(await make()), await asProof(await make())]
  assert.equal(outcome(grant), '400 invalid_grant', `${what}: ${grant.text}`)
  assert.equal(outcome(proof), '401 invalid_client', `${what}: ${proof.text}`)
}

test('TK13: an assertion that is forged, whatever its header says, is refused', async () => {
  const forger = await newKey()
  const body = claims({ iss: ci.issuer, jti: 'x', iat: seconds(), exp: seconds() + 60 })
  const header = { alg: 'ES256', typ: 'JWT', kid: 'first' }
  const [published] = ci.keys
  assert.ok(published)
  const publicPem = await exportSPKI((await importJWK(published, 'ES256')) as never)
  const hmac = (with_: string) =>
    ci.sign(claims(), { header: { alg: 'HS256' }, signWith: new TextEncoder().encode(with_) })
  const cases: Record<string, () => Promise<string> | string> = {
    'no signature': () => rawJwt({ ...header, alg: 'none' }, body),
    'no signature, other letters': () => rawJwt({ ...header, alg: 'NonE' }, body),
    'another key': () => rawJwt(header, body, es256(forger)),
    'a key of its own in the header': () => rawJwt({ ...header, jwk: forger.publicJwk }, body, es256(forger)),
    'a key address in the header': () => rawJwt({ ...header, jku: 'https://attacker.example/k' }, body, es256(forger)),
    'a certificate address': () => rawJwt({ ...header, x5u: 'https://attacker.example/c' }, body, es256(forger)),
    'a path as key id': () => rawJwt({ ...header, kid: '../../../dev/null' }, body, es256(forger)),
    'a prototype as key id': () => rawJwt({ ...header, kid: '__proto__' }, body, es256(forger)),
    'an unknown critical header': () => ci.sign(claims(), { header: { crit: ['urn:x'], 'urn:x': true } }),
    'a public key as shared secret (PEM)': () => hmac(publicPem),
    'a public key as shared secret (JWK)': () => hmac(JSON.stringify(published)),
    'an ECDSA signature of zeros': () => rawJwt(header, body, () => Buffer.alloc(64).toString('base64url')),
  }
  for (const [what, make] of Object.entries(cases)) await refusedBothWays(make, what)
})

test('TK13: an assertion for somebody else, out of its time, or without what makes it one, is refused', async () => {
  const cases: Record<string, object> = {
    'for the token endpoint': { aud: `${licet.issuer}/token` },
    'for another server': { aud: 'https://other.example' },
    'for us and another': { aud: [licet.issuer, 'https://other.example'] },
    'for us in a list': { aud: [licet.issuer] },
    'for nobody': { aud: undefined },
    ended: { exp: seconds() - 60 },
    'without end': { exp: undefined },
    'not begun': { nbf: seconds() + 120 },
    'made in the future': { iat: seconds() + 120, exp: seconds() + 180 },
    'without a beginning': { iat: undefined },
    'living for a day': { exp: seconds() + 86_400 },
    'made yesterday': { iat: seconds() - 86_400 },
    'without an id': { jti: undefined },
    'with an empty id': { jti: '' },
    'with a number for an id': { jti: 7 },
  }
  for (const [what, more] of Object.entries(cases)) await refusedBothWays(() => ci.sign(claims(more)), what)
})

test('JW3: a token of another kind by the same issuer is no assertion', async () => {
  for (const typ of ['at+jwt', 'oauth-id-jag+jwt', 'logout+jwt', 'dpop+jwt', 'application/at+jwt']) {
    const answer = await asGrant(await ci.sign(claims(), { header: { typ } }))
    assert.ok(answer.status >= 400 && answer.body.access_token === undefined, `${typ}: ${answer.text}`)
    const proof = await asProof(await ci.sign(claims(), { header: { typ } }))
    assert.equal(proof.status, 401, `${typ}: ${proof.text}`)
  }
})

test('a subject that looks like the bound one is not the bound one', async () => {
  const others = [
    'repo:acme/app-evil:ref:refs/heads/main',
    'repo:acme/app:ref:refs/heads/feature/x',
    'repo:acme/app:ref:refs/heads/',
    'repo:acme/app:ref:refs/heads',
    'repo:acme/app:ref:refs/tags/main',
    'repo:acme:app:ref:refs/heads/main',
    'repo:acme/app/ref:refs/heads/main',
    'repo:evil/x:repo:acme/app:ref:refs/heads/main',
    'repo:acme/app:ref:refs/heads/main:environment:x',
    ' repo:acme/app:ref:refs/heads/main',
    'REPO:acme/app:ref:refs/heads/main',
    'repo:acme/app:ref:refs/heads/*:x',
    '*',
  ]
  for (const sub of others) await refusedBothWays(() => ci.sign(claims({ sub })), sub)
  await refusedBothWays(() => ci.sign(claims({ sub: [SUBJECT] })), 'a list')
  assert.equal((await asGrant(await ci.sign(claims({ sub: 'repo:acme/app:ref:refs/heads/next' })))).status, 200)
})

test('an assertion makes nobody but the bound app, whoever it names', async () => {
  const other = await registerApp(licet, { type: 'service' })
  for (const clientId of [other.clientId, 'settings', 'nobody', '']) {
    const answer = await asGrant(await ci.sign(claims()), { client_id: clientId })
    if (clientId === '') continue
    assert.equal(outcome(answer), '400 invalid_grant', answer.text)
  }
  assert.equal((await asGrant(await ci.sign(claims()), { client_id: 'deploy' })).status, 200)
  const secretive = await licet.core.apps.create(operator, { name: 'Secretive', type: 'service' })
  assert.ok(secretive.clientSecret)
  const unbound = await asGrant(await ci.sign(claims({ sub: 'other' })))
  assert.ok(unbound.status >= 400, 'an app that has a secret is no workload')
})

test('the word that stands for an assertion proves nothing by itself', async () => {
  for (const secret of ['x', '', 'kept-as-a-digest', 'undefined']) {
    const answer = await nameless.post('/token', {
      client_id: 'deploy',
      client_secret: secret,
      grant_type: 'client_credentials',
    })
    assert.ok(answer.status === 401 || answer.status === 400, answer.text)
    assert.equal(answer.body.access_token, undefined)
  }
  const bare = await nameless.post('/token', { client_id: 'deploy', grant_type: 'client_credentials' })
  assert.equal(bare.status, 401)
  const both = await nameless.post('/token', {
    client_id: 'deploy',
    client_secret: 'x',
    grant_type: JWT_BEARER,
    assertion: await ci.sign(claims()),
  })
  assert.ok(both.status >= 400 && both.body.access_token === undefined)
  const twice = await asGrant(await ci.sign(claims()), {
    assertion: [await ci.sign(claims()), await ci.sign(claims())],
  })
  assert.ok(twice.status >= 400 && twice.body.access_token === undefined)
})

test('JW2, DC4: unknown key ids by the hundred fetch the keys once a minute, and nothing that they name', async () => {
  const forger = await newKey()
  time += 120_000
  await asGrant(await ci.sign(claims()))
  const before = ci.fetches()
  const body = claims({ iss: ci.issuer, jti: 'x', iat: seconds(), exp: seconds() + 60 })
  const floods = Array.from({ length: 100 }, (_one, at) =>
    asGrant(rawJwt({ alg: 'ES256', typ: 'JWT', kid: `unknown-${at}` }, body, es256(forger))),
  )
  assert.deepEqual(tally(await Promise.all(floods)), { '400 invalid_grant': 100 })
  assert.ok(ci.fetches() - before <= 1, `${ci.fetches() - before} fetches`)
  assert.deepEqual([...new Set(ci.receiver.deliveries.map(({ path }) => path))].sort(), [
    '/.well-known/openid-configuration',
    '/jwks',
  ])
})

test('FE11: keys that are not to be had are an outage, not a yes; a discovery document of somebody else is none', async () => {
  const away = await startIssuer(() => time)
  const another = await startLicet({ now: () => time, file: { ...trusting(away, { workloads }), apps: [app] } })
  const client = appClient({ issuer: another.issuer, clientId: '', secret: undefined, proof: nobody })
  const use = async () =>
    client.post('/token', {
      client_id: undefined,
      grant_type: JWT_BEARER,
      assertion: await away.sign({ sub: SUBJECT, aud: another.issuer }),
    })
  const right = away.receiver.reply
  away.receiver.reply = ({ path }) =>
    path === '/jwks'
      ? right({ path } as never)
      : { body: { issuer: 'https://other.example', jwks_uri: `${away.issuer}/jwks` } }
  const refused = await use()
  assert.equal(refused.body.error, 'temporarily_unavailable', refused.text)
  away.receiver.reply = right
  time += 11_000
  assert.equal((await use()).status, 200)
  await new Promise((resolve) => {
    away.receiver.reply = () => ({ status: 500 })
    resolve(undefined)
  })
  time += 3_600_000
  assert.equal((await use()).status, 200, 'known keys serve while their address does not')
  time += 24 * 3_600_000
  assert.equal((await use()).body.error, 'temporarily_unavailable', 'but not for ever')
  await another.close()
  await away.close()
})

test('no assertion stands in a log, an answer, the audit or the store', async () => {
  const assertion = await ci.sign(claims())
  await asGrant(assertion)
  await asGrant(assertion)
  const [, payload = '', signature = ''] = assertion.split('.')
  const { items } = await licet.core.store.read('deploy', { limit: 100 })
  const everything = [licet.log.join('\n'), JSON.stringify(items)].join('\n')
  for (const part of [payload.slice(0, 40), signature, String(decodeJwt(assertion).jti)])
    assert.equal(everything.includes(part), false)
})

test('CA5: of 20 uses of one assertion at once on two processes one succeeds', {
  skip: skipWithout('redis-server'),
}, async () => {
  const issuer = await startIssuer()
  const two = await startTwoProcesses({ file: { ...trusting(issuer, { workloads }), apps: [app] } })
  try {
    const client = appClient({ issuer: two.issuer, clientId: '', secret: undefined, proof: nobody })
    for (const as of ['grant', 'proof'] as const) {
      const assertion = await issuer.sign({ sub: SUBJECT, aud: two.issuer })
      const params =
        as === 'grant'
          ? { grant_type: JWT_BEARER, assertion }
          : { grant_type: 'client_credentials', client_assertion: assertion, client_assertion_type: ASSERTION_TYPE }
      const uses = Array.from({ length: 20 }, (_one, at) =>
        client.post('/token', { client_id: undefined, ...params }, { origin: two.origins[at % 2] as string }),
      )
      const lost = as === 'grant' ? '400 invalid_grant' : '401 invalid_client'
      assert.deepEqual(tally(await Promise.all(uses)), { '200': 1, [lost]: 19 })
    }
    assert.equal(two.output().includes('eyJ'), false, 'no token was printed')
  } finally {
    await two.stop()
    await issuer.close()
  }
})
