/**
 * Attacks on identity assertions (threats.md TK13, FE1, FE2, FE9, FE10; mcp.md 36 to 42): for another app, resource, server or person; used twice; accounts
 * that would be taken over by an address.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { resources, TOOLS } from '../support/agents.ts'
import { type AppClient, outcome, registerApp, tally } from '../support/app-client.ts'
import { type Bent, JWT_BEARER, startIssuer, type TestIssuer, trusting } from '../support/issuer.ts'
import { type Licet, newAccount, operator, startLicet } from '../support/licet.ts'
import { es256, newKey, rawJwt } from '../support/proofs.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses } from '../support/two-processes.ts'

let idp: TestIssuer
let careless: TestIssuer
let licet: Licet
let client: AppClient
let email = ''
before(async () => {
  ;[idp, careless] = await Promise.all([startIssuer(), startIssuer()])
  const { trusted_issuers: first, ...reach } = trusting(idp, { id_jag: { apps: ['*'] } })
  const { trusted_issuers: second } = trusting(careless, { id_jag: { apps: ['*'], link_by_email: true } })
  const trusted = [...(first as object[]), ...(second as object[])]
  licet = await startLicet({ file: { ...reach, trusted_issuers: trusted, resources } })
  client = await registerApp(licet, { scopes: ['data:read', 'mcp:read'], optionalScopes: [] })
  const account = await newAccount(licet.core)
  email = account.email
  await licet.core.federation.links.link(operator, { issuer: idp.issuer, subject: 'ada', accountId: account.id })
})
after(async () => {
  await licet.close()
  await Promise.all([idp.close(), careless.close()])
})

const right = (claims = {}) => ({
  sub: 'ada',
  aud: licet.issuer,
  client_id: client.clientId,
  resource: TOOLS,
  scope: 'data:read',
  ...claims,
})
const jag = (claims = {}, { header, ...bent }: Bent = {}, by = idp) =>
  by.sign(right(claims), { ...bent, header: { typ: 'oauth-id-jag+jwt', ...header } })
const redeem = (assertion: string, by = client, params = {}) =>
  by.post('/token', { grant_type: JWT_BEARER, assertion, ...params })

test('TK13: an identity assertion that is not one for this app, resource, server and moment is refused', async () => {
  assert.equal((await redeem(await jag())).status, 200)
  const now = Math.floor(Date.now() / 1000)
  const cases: Record<string, object> = {
    'of another app': { client_id: 'another' },
    'of a list of apps': { client_id: [client.clientId] },
    'of no app': { client_id: undefined },
    'for another server': { aud: 'https://other.example' },
    'for two servers': { aud: [licet.issuer, 'https://other.example'] },
    'for the token endpoint': { aud: `${licet.issuer}/token` },
    'for no resource': { resource: undefined },
    'for several resources': { resource: [TOOLS] },
    'for an unknown resource': { resource: 'https://unknown.example' },
    'with a scope that the resource does not have': { scope: 'data:read api:admin' },
    'with a scope in a list': { scope: ['data:read'] },
    'of an unknown person': { sub: 'eve' },
    'of nobody': { sub: undefined },
    ended: { exp: now - 60 },
    'living for a day': { exp: now + 86_400 },
    'from the future': { iat: now + 120 },
    'without an id': { jti: undefined },
  }
  for (const [what, claims] of Object.entries(cases)) {
    const answer = await redeem(await jag(claims))
    assert.equal(outcome(answer), '400 invalid_grant', `${what}: ${answer.text}`)
  }
})

test('an identity assertion of another type, signed by somebody else, or unsigned is refused', async () => {
  const forger = await newKey()
  const now = Math.floor(Date.now() / 1000)
  const body = right({ iss: idp.issuer, jti: 'x', iat: now, exp: now + 60 })
  const header = { alg: 'ES256', typ: 'oauth-id-jag+jwt', kid: 'first' }
  const cases = [
    await jag({}, { header: { typ: 'JWT' } }),
    await jag({}, { header: { typ: undefined } }),
    await jag({}, { header: { typ: 'id-jag+jwt' } }),
    await jag({}, { header: { typ: 'at+jwt' } }),
    rawJwt({ ...header, alg: 'none' }, body),
    rawJwt(header, body, es256(forger)),
    rawJwt({ ...header, jwk: forger.publicJwk, jku: 'https://attacker.example/k' }, body, es256(forger)),
    await jag({ iss: 'https://unknown.example' }),
    await jag({ iss: careless.issuer }),
    'x.y.z',
  ]
  for (const assertion of cases) {
    const answer = await redeem(assertion)
    assert.equal(outcome(answer), '400 invalid_grant', answer.text)
  }
})

test('an app presents only what names it: one that was stolen from another app is worth nothing', async () => {
  const thief = await registerApp(licet, { name: 'Thief', scopes: ['data:read'] })
  assert.equal(outcome(await redeem(await jag(), thief)), '400 invalid_grant')
  const open = await registerApp(licet, { type: 'spa', scopes: ['data:read'] })
  const anybody = await redeem(await jag({ client_id: open.clientId }), open)
  assert.equal(
    outcome(anybody),
    '400 unauthorized_client',
    'an app that cannot prove itself must be named by the operator',
  )
  const service = await registerApp(licet, { type: 'service', scopes: ['data:read'] })
  assert.equal((await redeem(await jag({ client_id: service.clientId }), service)).status, 200)
})

test('FE1, FE2: an address takes over no account: unverified on either side, or where nobody allowed it', async () => {
  const { core } = licet
  const unproven = await newAccount(core, undefined, { emailVerified: false })
  const known = { email, email_verified: true }
  const cases: [string, TestIssuer, object][] = [
    ['the issuer may not link by address', idp, { sub: 'new', ...known }],
    ['the issuer has not verified it', careless, { sub: 'a', email, email_verified: false }],
    ['the issuer does not say', careless, { sub: 'b', email }],
    ['the issuer says it in text', careless, { sub: 'c', email, email_verified: 'true' }],
    ['the address is no text', careless, { sub: 'd', email: [email], email_verified: true }],
    ['this server has not verified it', careless, { sub: 'e', email: unproven.email, email_verified: true }],
    ['nobody has it', careless, { sub: 'f', email: 'nobody@example.test', email_verified: true }],
  ]
  for (const [what, issuer, claims] of cases) {
    const answer = await redeem(await jag(claims, {}, issuer))
    assert.equal(outcome(answer), '400 invalid_grant', `${what}: ${answer.text}`)
  }
  const linked = await redeem(await jag({ sub: 'ada', ...known }, {}, careless))
  assert.equal(
    linked.status,
    200,
    'the same subject of another issuer is somebody of its own, found by its own address',
  )
})

test('FE9: a disabled person is served by no assertion', async () => {
  const account = await newAccount(licet.core)
  const link = { issuer: idp.issuer, subject: 'leaver', accountId: account.id }
  await licet.core.federation.links.link(operator, link)
  assert.equal((await redeem(await jag({ sub: 'leaver' }))).status, 200)
  await licet.core.accounts.disable(operator, account.id, 'test')
  assert.equal(outcome(await redeem(await jag({ sub: 'leaver' }))), '400 invalid_grant')
  await assert.rejects(
    licet.core.federation.links.link(operator, { ...link, accountId: 'another' }),
    (error: { code?: string }) => error.code === 'conflict',
  )
})

test('FE10: what the provider says of the sign-in or of roles raises nobody', async () => {
  const claims = {
    acr: 'phr',
    amr: ['mfa'],
    auth_time: Math.floor(Date.now() / 1000),
    roles: ['administrator'],
    scope: 'data:read',
  }
  const answer = await redeem(await jag(claims))
  const [, payload = ''] = answer.body.access_token.split('.')
  const made = JSON.parse(Buffer.from(payload, 'base64url').toString())
  for (const name of ['acr', 'amr', 'auth_time', 'roles']) assert.equal(name in made, false, name)
})

test('no identity assertion stands in a log or the audit', async () => {
  const assertion = await jag()
  await redeem(assertion)
  await redeem(assertion)
  const { items } = await licet.core.store.read(client.clientId, { limit: 100 })
  const everything = `${licet.log.join('\n')}${JSON.stringify(items)}`
  for (const part of assertion.split('.').slice(1)) assert.equal(everything.includes(part.slice(0, 40)), false)
})

test('38: of 20 uses of one identity assertion at once on two processes one succeeds', {
  skip: skipWithout('redis-server'),
}, async () => {
  const issuer = await startIssuer()
  const file = { ...trusting(issuer, { id_jag: { apps: ['*'], link_by_email: true } }), resources }
  const two = await startTwoProcesses({ file })
  try {
    const app = await registerApp(two, { scopes: ['data:read'], optionalScopes: [] })
    const account = await newAccount(two.core)
    const assertion = await issuer.sign(
      {
        sub: 'ada',
        aud: two.issuer,
        client_id: app.clientId,
        resource: TOOLS,
        scope: 'data:read',
        email: account.email,
        email_verified: true,
      },
      { header: { typ: 'oauth-id-jag+jwt' } },
    )
    const uses = Array.from({ length: 20 }, (_one, at) =>
      app.post('/token', { grant_type: JWT_BEARER, assertion }, { origin: two.origins[at % 2] as string }),
    )
    assert.deepEqual(tally(await Promise.all(uses)), { '200': 1, '400 invalid_grant': 19 })
    assert.equal((await two.core.federation.links.list(account.id)).length, 1)
  } finally {
    await two.stop()
    await issuer.close()
  }
})
