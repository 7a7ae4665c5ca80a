/**
 * Attacks on revocation and userinfo (threats.md IR4, IR5): who may end a token, what ends with it, and what does not pass for an access token.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'
import { type AppClient, type Body, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
const MCP = 'https://mcp.example.test/mcp'
let standard: AppClient
before(async () => {
  licet = await startLicet({
    file: { resources: [{ identifier: MCP, name: 'MCP', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }] },
  })
  app = await registerApp(licet, { scopes: ['data:read'], optionalScopes: ['mcp:read'] })
  who = await newPerson(licet)
  standard = await registerApp(licet, { type: 'service', resourceServer: `${licet.issuer}/api/v1` })
})
after(() => licet.close())

async function tokens(params = {}): Promise<Body> {
  const answer = await app.redeem(await app.obtainCode(who.person, who.email, params))
  assert.equal(answer.status, 200, answer.text)
  return answer.body
}

const NOTHING = '{"active":false}'
const isActive = async (token: string, caller = app) => (await caller.introspect(token)).body.active

test('IR4: another app cannot revoke a token', async () => {
  const { access_token: access, refresh_token: refresh } = await tokens()
  for (const thief of [await registerApp(licet), await registerApp(licet, { type: 'spa' }), standard]) {
    assert.equal((await thief.revoke(refresh)).status, 200, 'read as unknown')
    const known = await thief.revoke(access)
    assert.deepEqual([known.status, known.body.error], [400, 'invalid_request'], 'its audience is written in it')
  }
  assert.equal(await isActive(access), true)
  assert.equal(await isActive(refresh), true)
})

test('IR4: revoking a refresh token ends its access tokens; revoking an access token ends that one alone', async () => {
  const body = await tokens()
  const next = (await app.refresh(body.refresh_token)).body
  assert.equal((await app.revoke(next.access_token)).status, 200)
  assert.equal(await isActive(next.access_token), false)
  assert.equal((await app.userinfo(next.access_token)).status, 401)
  assert.equal(await isActive(body.access_token), true)
  const alive = await app.refresh(next.refresh_token)
  assert.equal(alive.status, 200)
  assert.equal((await app.revoke(alive.body.refresh_token)).status, 200)
  for (const token of [body.access_token, alive.body.access_token, alive.body.refresh_token])
    assert.equal(await isActive(token), false)
})

test('IR4: revoking a replaced refresh token ends the family as well', async () => {
  const body = await tokens()
  const next = (await app.refresh(body.refresh_token)).body
  assert.equal((await app.revoke(body.refresh_token)).status, 200)
  assert.equal((await app.refresh(next.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await app.refresh(body.refresh_token)).body.error, 'invalid_grant', 'nor is the kept answer given out')
  assert.equal(await isActive(next.access_token), false)
})

test('IR4: a service revokes the token that it got for itself, and nothing else of its own', async () => {
  const service = await registerApp(licet, { type: 'service', scopes: ['data:read'] })
  const ask = async () => (await service.post('/token', { grant_type: 'client_credentials' })).body.access_token
  const [one, other] = [await ask(), await ask()]
  assert.equal((await service.revoke(one)).status, 200)
  assert.equal((await standard.introspect(one)).text, NOTHING)
  assert.equal(await isActive(other, standard), true)
})

test('IR4: unknown, garbled and already revoked tokens are 200, twice as well', async () => {
  const { refresh_token: refresh } = await tokens()
  for (const token of ['x', 'a.b.c', 'x'.repeat(5_000), refresh, refresh])
    assert.equal((await app.revoke(token)).status, 200)
})

test('IR5: userinfo takes an access token in its header and nothing else', async () => {
  const { access_token: access, refresh_token: refresh, id_token: id } = await tokens()
  const inAddress = await sendOnWire(licet.issuer, 'GET', `/userinfo?access_token=${access}`)
  assert.equal(inAddress.status, 400, inAddress.text)
  for (const token of [refresh, id, access.slice(0, -3), `${access}x`, 'x', '']) {
    const answer = await app.userinfo(token)
    assert.ok(answer.status === 400 || answer.status === 401, `${answer.status} ${answer.text}`)
    assert.equal(answer.body['sub'], undefined)
  }
  const twice = await app.post(
    '/userinfo',
    { access_token: access },
    { headers: { authorization: `Bearer ${access}` } },
  )
  assert.equal(twice.status, 400, twice.text)
  assert.equal((await app.userinfo(access)).status, 200)
})

test('IR5: a token without openid, and one that a service got for itself, opens no userinfo', async () => {
  const { access_token: plain } = await tokens({ scope: 'data:read' })
  const service = await registerApp(licet, { type: 'service', scopes: ['data:read'] })
  const own = await service.post('/token', { grant_type: 'client_credentials', scope: 'openid data:read' })
  for (const token of [plain, own.body.access_token]) {
    const { status, body } = await app.userinfo(token)
    assert.ok(status === 401 || status === 403, `${status}`)
    assert.equal(body['sub'], undefined)
  }
})

test('IR4 LO6: a revocation that the store broke off is refused, and its retry ends the family', async (t) => {
  let breaks = false
  const around = (store: Store): Store => ({
    ...store,
    async remove(kind, id) {
      if (!breaks || kind !== 'grant') return store.remove(kind, id)
      breaks = false
      throw new AppError('store_unavailable', 'The store does not answer.')
    },
  })
  const shaky = await startLicet({ around })
  t.after(() => shaky.close())
  const client = await registerApp(shaky)
  const { person, email } = await newPerson(shaky)
  const { body } = await client.redeem(await client.obtainCode(person, email))
  breaks = true
  assert.equal((await client.revoke(body.refresh_token)).status, 503)
  assert.equal((await client.revoke(body.refresh_token)).status, 200)
  assert.equal((await client.refresh(body.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await client.userinfo(body.access_token)).status, 401)
})
