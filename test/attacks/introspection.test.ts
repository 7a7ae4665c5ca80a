/**
 * Attacks on introspection (threats.md IR1 to IR3, TK12): who may learn about a token, and how soon its end is known to everybody.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createGrants } from '../../src/oidc/grants.ts'
import {
  type AppClient,
  type Body,
  basic,
  newPerson,
  nobody,
  registerApp,
  type SignedIn,
  tally,
} from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
let offsetMs = 0
const MCP = 'https://mcp.example.test/mcp'
let standard: AppClient
let mcp: AppClient
before(async () => {
  licet = await startLicet({
    now: () => Date.now() + offsetMs,
    file: { resources: [{ identifier: MCP, name: 'MCP', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }] },
  })
  app = await registerApp(licet, { scopes: ['data:read'], optionalScopes: ['mcp:read'] })
  who = await newPerson(licet)
  standard = await registerApp(licet, { type: 'service', resourceServer: `${licet.issuer}/api/v1` })
  mcp = await registerApp(licet, { type: 'service', resourceServer: MCP })
})
after(() => licet.close())

async function tokens(params = {}): Promise<Body> {
  const answer = await app.redeem(await app.obtainCode(who.person, who.email, params))
  assert.equal(answer.status, 200, answer.text)
  return answer.body
}

const NOTHING = '{"active":false}'
const isActive = async (token: string, caller = app) => (await caller.introspect(token)).body.active

test('IR1: an app learns nothing about tokens of another app, whatever kind of app it is', async () => {
  const { access_token: access, refresh_token: refresh, id_token: id } = await tokens()
  const strangers = [
    await registerApp(licet),
    await registerApp(licet, { type: 'spa' }),
    await registerApp(licet, { type: 'service' }),
    await registerApp(licet, { firstParty: true }),
  ]
  for (const stranger of strangers) {
    for (const token of [access, refresh, id]) {
      const answer = await stranger.introspect(token)
      assert.deepEqual([answer.status, answer.text], [200, NOTHING])
    }
    for (const hint of ['access_token', 'refresh_token', 'made_up'])
      assert.equal((await stranger.post('/introspect', { token: refresh, token_type_hint: hint })).text, NOTHING)
  }
  assert.equal(await isActive(access), true)
})

test('IR1, TK12: a resource server learns about tokens for its own audience and about nothing else', async () => {
  const ours = await tokens()
  const theirs = await tokens({ scope: 'mcp:read', resource: MCP })
  const seen = (await standard.introspect(ours.access_token)).body
  assert.equal(seen.active, true)
  assert.deepEqual(
    [seen['aud'], seen['client_id'], seen['sub']],
    [`${licet.issuer}/api/v1`, app.clientId, who.accountId],
  )
  assert.equal((await mcp.introspect(theirs.access_token)).body['aud'], MCP)
  assert.equal((await mcp.introspect(ours.access_token)).text, NOTHING)
  assert.equal((await standard.introspect(theirs.access_token)).text, NOTHING)
  for (const token of [ours.refresh_token, ours.id_token, theirs.refresh_token]) {
    assert.equal((await standard.introspect(token)).text, NOTHING, 'a refresh token is for its app alone')
    assert.equal((await mcp.introspect(token)).text, NOTHING)
  }
})

test('TK12: every access token names exactly one audience, the resource it was asked for', async () => {
  const both = await app.obtainCode(who.person, who.email, {
    scope: 'openid data:read mcp:read',
    resource: [MCP, `${licet.issuer}/api/v1`],
  })
  const first = await app.redeem(both, { resource: MCP })
  assert.equal(first.status, 200, first.text)
  const { aud, scope } = (await app.introspect(first.body.access_token)).body
  assert.equal(aud, MCP)
  assert.ok(!String(scope).includes('data:read'), `${scope}`)
  const second = await app.refresh(first.body.refresh_token, { resource: `${licet.issuer}/api/v1` })
  const other = (await app.introspect(second.body.access_token)).body
  assert.equal(other['aud'], `${licet.issuer}/api/v1`)
  assert.ok(String(other['scope']).includes('data:read'))
})

test('IR2: introspection and revocation without authentication are refused', async () => {
  const { access_token: token, refresh_token: refresh } = await tokens()
  for (const path of ['/introspect', '/revoke']) {
    for (const proof of [nobody, basic(app.clientId, 'wrong'), basic('unknown', 'x')]) {
      const answer = await app.with(proof).post(path, { token })
      assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], answer.text)
    }
    const bare = await sendOnWire(licet.issuer, 'POST', path, {
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${token}` },
      body: `token=${token}`,
    })
    assert.ok(bare.status === 400 || bare.status === 401, bare.text)
  }
  assert.equal(await isActive(token), true)
  assert.equal(await isActive(refresh), true)
})

test('IR2: guessed tokens read like unknown ones', async () => {
  const { access_token: token, refresh_token: refresh } = await tokens()
  const [head, payload, signature = ''] = token.split('.')
  const guesses = [
    'x',
    refresh.slice(0, -1),
    `${refresh}A`,
    refresh.toLowerCase(),
    `${head}.${payload}.${signature.slice(0, -2)}`,
    `${head}.${payload}.`,
    `${head}.${payload}`,
    `${token}A`,
    `${token}.x`,
    'a.b.c',
    '..',
    `${head}.${'A'.repeat(9_000)}.AA`,
    'licet_pat_0000000000000000000000000000000000000',
    'null',
    '__proto__',
    '\0',
  ]
  for (const guess of guesses) {
    const answer = await app.introspect(guess)
    assert.deepEqual([answer.status, answer.text], [200, NOTHING], guess)
    assert.match(String(answer.headers['cache-control']), /no-store/)
  }
  const none = await app.post('/introspect', {})
  assert.deepEqual([none.status, none.body.error], [400, 'invalid_request'])
})

const ends: Record<string, (body: Body) => Promise<unknown>> = {
  'its grant is revoked by its refresh token': ({ refresh_token: token }) => app.revoke(token),
  'its grant is ended': async ({ access_token: token }) => {
    const jti = String((await app.introspect(token)).body['jti'])
    assert.equal(
      await createGrants({ store: licet.core.store, now: licet.core.now }).end(jti.split('.')[0] ?? ''),
      true,
    )
  },
  'the session it was obtained in is ended': async ({ access_token: token }) => {
    const sessionUid = String((await app.introspect(token)).body['sid'])
    const ended = await createGrants({ store: licet.core.store, now: licet.core.now }).endAll({ sessionUid })
    assert.ok(ended > 0)
  },
}
for (const [what, end] of Object.entries(ends)) {
  test(`IR3: once ${what}, a token is inactive at once for everybody`, async () => {
    const body = await tokens()
    await end(body)
    for (const caller of [app, standard]) assert.equal((await caller.introspect(body.access_token)).text, NOTHING)
    assert.equal((await app.introspect(body.refresh_token)).text, NOTHING)
    assert.equal((await app.refresh(body.refresh_token)).body.error, 'invalid_grant')
    const userinfo = await app.userinfo(body.access_token)
    assert.equal(userinfo.status, 401, 'IR6')
    assert.match(String(userinfo.headers['www-authenticate']), /invalid_token/)
  })
}

test('IR3: once the account is disabled or the app suspended, a resource server is told inactive', async (t) => {
  t.after(() => {
    offsetMs = 0
  })
  const person = await newPerson(licet)
  const victim = await registerApp(licet)
  const [byAccount, byApp] = [
    await victim.obtainCode(person.person, person.email),
    await victim.obtainCode(who.person, who.email),
  ]
  const [first, second] = [(await victim.redeem(byAccount)).body, (await victim.redeem(byApp)).body]
  assert.equal(await isActive(first.access_token, standard), true)
  await licet.core.accounts.disable(operator, person.accountId)
  assert.equal((await standard.introspect(first.access_token)).text, NOTHING)
  assert.equal(await isActive(second.access_token, standard), true)
  await licet.core.apps.suspend(operator, victim.clientId, 'abuse')
  offsetMs += 1_001
  assert.equal((await standard.introspect(second.access_token)).text, NOTHING)
})

test('IR3: tokens that a service got for itself end with their app', async (t) => {
  t.after(() => {
    offsetMs = 0
  })
  const service = await registerApp(licet, { type: 'service', scopes: ['data:read'] })
  const { body } = await service.post('/token', { grant_type: 'client_credentials' })
  assert.equal(await isActive(body.access_token, standard), true)
  await licet.core.apps.remove(operator, service.clientId)
  offsetMs += 1_001
  assert.equal((await standard.introspect(body.access_token)).text, NOTHING)
})

test('IR3: twenty introspections beside one revocation agree once it has returned', async () => {
  const body = await tokens()
  const beside = Array.from({ length: 20 }, () => standard.introspect(body.access_token))
  await app.revoke(body.refresh_token)
  const counts = tally(await Promise.all(beside))
  assert.deepEqual(counts, { 200: 20 })
  const afterwards = await Promise.all(Array.from({ length: 20 }, () => standard.introspect(body.access_token)))
  assert.ok(afterwards.every(({ text }) => text === NOTHING))
})
