/**
 * Attacks on the code grant at the token endpoint (threats.md TK, JW8): stolen, guessed, replayed, aged and bent codes. A refused attempt
 * burns nothing that its owner still needs.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  type AppClient,
  newPerson,
  nobody,
  type PendingCode,
  registerApp,
  type SignedIn,
} from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
let offsetMs = 0
const MCP = 'https://mcp.example.test/mcp'
before(async () => {
  licet = await startLicet({
    now: () => Date.now() + offsetMs,
    file: { resources: [{ identifier: MCP, name: 'MCP', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }] },
  })
  app = await registerApp(licet, { scopes: ['data:read'], optionalScopes: ['data:write', 'mcp:read'] })
  who = await newPerson(licet)
})
after(() => licet.close())

const newCode = (params = {}): Promise<PendingCode> => app.obtainCode(who.person, who.email, params)

function refused({ status, body, text }: Answer, error = 'invalid_grant', expected = 400): void {
  assert.deepEqual([status, body.error], [expected, error], text)
  assert.equal(body.access_token, undefined)
}

test('TK1: a code redeemed by another app is refused and not burned', async () => {
  const pending = await newCode()
  refused(await (await registerApp(licet)).redeem(pending))
  refused(await (await registerApp(licet, { type: 'spa' })).redeem(pending))
  assert.equal((await app.redeem(pending)).status, 200)
})

test('TK2: a wrong verifier, redirect URI or spelling of the code is refused, and the right redemption still works', async () => {
  const pending = await newCode()
  const { code, verifier } = pending
  const swapped = code.replace(/[a-z]/i, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
  for (const bent of [code.slice(0, -1), `${code}A`, swapped, ` ${code}`, `${code}\0`, code.slice(1), 'x'])
    refused(await app.redeem({ code: bent, verifier }))
  refused(await app.redeem({ code, verifier: verifier.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) }))
  refused(await app.redeem(pending, { code_verifier: undefined }))
  refused(await app.redeem(pending, { code_verifier: 'short' }), 'invalid_request')
  refused(await app.redeem(pending, { redirect_uri: `${app.redirectUri}/` }))
  refused(await app.redeem(pending, { redirect_uri: undefined }), 'invalid_request')
  assert.equal((await app.redeem(pending)).status, 200)
})

test('TK3: a second redemption is refused and revokes all that the first one got', async () => {
  const pending = await newCode()
  const { body } = await app.redeem(pending)
  assert.equal((await app.introspect(body.access_token)).body.active, true)
  refused(await app.redeem(pending))
  assert.equal((await app.introspect(body.access_token)).body.active, false)
  assert.equal((await app.userinfo(body.access_token)).status, 401, 'IR6')
  refused(await app.refresh(body.refresh_token))
  const { items } = await licet.core.store.read(who.accountId, { limit: 20 })
  assert.equal(items.filter(({ record }) => record['event'] === 'code.replayed').length, 1, 'its owner can read of it')
})

test('TK3: a code replayed after thirty seconds, and after its lifetime, is still refused', async (t) => {
  t.after(() => {
    offsetMs = 0
  })
  const pending = await newCode()
  const { body } = await app.redeem(pending)
  offsetMs += 30_000
  refused(await app.redeem(pending))
  assert.equal((await app.introspect(body.access_token)).body.active, false)
  offsetMs += 60_000
  refused(await app.redeem(pending))
})

test('TK3: another app that replays a used code cannot revoke what its owner got', async () => {
  const pending = await newCode()
  const { body } = await app.redeem(pending)
  refused(await (await registerApp(licet)).redeem(pending))
  assert.equal((await app.introspect(body.access_token)).body.active, true)
})

test('TK5: a code is refused once its lifetime has passed', async (t) => {
  t.after(() => {
    offsetMs = 0
  })
  const pending = await newCode()
  offsetMs += 76_000
  refused(await app.redeem(pending))
})

test('TK14: a code is refused when its account was disabled, signed out everywhere or removed meanwhile', async () => {
  const { accounts } = licet.core
  for (const act of [
    (id: string) => accounts.disable(operator, id),
    (id: string) => accounts.signOutEverywhere(operator, id),
    (id: string) => accounts.remove(operator, id),
  ]) {
    const person = await newPerson(licet)
    const pending = await app.obtainCode(person.person, person.email)
    await act(person.accountId)
    refused(await app.redeem(pending))
  }
})

test('TK14: a code and its tokens are refused once their app is suspended or removed', async (t) => {
  t.after(() => {
    offsetMs = 0
  })
  for (const act of ['suspend', 'remove'] as const) {
    const victim = await registerApp(licet)
    const pending = await victim.obtainCode(who.person, who.email)
    const { body } = await victim.redeem(await victim.obtainCode(who.person, who.email))
    if (act === 'suspend') await licet.core.apps.suspend(operator, victim.clientId, 'abuse')
    else await licet.core.apps.remove(operator, victim.clientId)
    offsetMs += 1_001
    refused(await victim.redeem(pending), 'invalid_client', 401)
    refused(await victim.refresh(body.refresh_token), 'invalid_client', 401)
    assert.equal((await victim.userinfo(body.access_token)).status, 401)
  }
})

test('JW8: a code where a refresh token is expected, and the other way round, is refused', async () => {
  const pending = await newCode()
  refused(await app.refresh(pending.code))
  const { body } = await app.redeem(pending)
  refused(await app.redeem({ ...pending, code: body.refresh_token }))
  refused(await app.redeem({ ...pending, code: body.access_token }))
  refused(await app.refresh(body.access_token))
  refused(await app.refresh(body.id_token))
  const device = await registerApp(licet, { type: 'device' })
  const begun = await device.post('/device_authorization', { scope: 'data:read' })
  const deviceCode = String(begun.body['device_code'])
  refused(await device.refresh(deviceCode))
  const grant = 'urn:ietf:params:oauth:grant-type:device_code'
  refused(await device.post('/token', { grant_type: grant, device_code: pending.code }))
  refused(await app.redeem({ ...pending, code: deviceCode }))
  const pushed = await app.post('/par', {
    client_id: app.clientId,
    response_type: 'code',
    redirect_uri: app.redirectUri,
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  assert.equal(pushed.status, 201, pushed.text)
  const handle = String(pushed.body['request_uri']).split(':').at(-1) ?? ''
  for (const value of [handle, String(pushed.body['request_uri'])]) {
    refused(await app.redeem({ ...pending, code: value }))
    refused(await app.refresh(value))
    assert.equal((await app.userinfo(value)).status, 401)
  }
})

test('TK2: an app without its own proof cannot redeem at all', async () => {
  const pending = await newCode()
  refused(await app.with(nobody).redeem(pending), 'invalid_client', 401)
  assert.equal((await app.redeem(pending)).status, 200)
})
