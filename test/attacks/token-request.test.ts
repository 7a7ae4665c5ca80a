/**
 * Requests at the token endpoint that are not what they should be (threats.md TK6 to TK9): grants, scopes and resources an app does not have,
 * forms that are none, two proofs at once. A refused attempt burns nothing.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  type AppClient,
  form,
  newPerson,
  type PendingCode,
  registerApp,
  type SignedIn,
} from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
const MCP = 'https://mcp.example.test/mcp'
before(async () => {
  licet = await startLicet({
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

test('TK6: grant types that an app does not have, or nobody has, are refused', async () => {
  const service = await registerApp(licet, { type: 'service' })
  refused(await app.post('/token', { grant_type: 'client_credentials' }), 'unauthorized_client')
  refused(await service.redeem(await newCode()), 'unauthorized_client')
  refused(await service.refresh('x'), 'unauthorized_client')
  for (const grant of [
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    '__proto__',
    'constructor',
  ])
    refused(
      await app.post('/token', { grant_type: grant, username: who.email, password: 'x', assertion: 'x' }),
      'unsupported_grant_type',
    )
  refused(await app.post('/token', {}), 'invalid_request')
})

test('TK7: a resource that was not granted is refused at the token endpoint and the code is not burned', async () => {
  const pending = await newCode()
  refused(await app.redeem(pending, { resource: MCP }), 'invalid_target')
  refused(await app.redeem(pending, { resource: 'https://unknown.example.test' }), 'invalid_target')
  refused(await app.redeem(pending, { resource: 'not a uri' }), 'invalid_target')
  const good = await app.redeem(pending)
  assert.equal(good.status, 200, good.text)
  assert.equal((await app.introspect(good.body.access_token)).body.active, true)
})

test('TK7: a scope at the token endpoint does not widen what was consented', async () => {
  const answer = await app.redeem(await newCode({ scope: 'openid data:read' }), {
    scope: 'openid data:read data:write',
  })
  if (answer.status === 200) assert.equal(answer.body['scope'], 'openid data:read')
  else refused(answer, 'invalid_scope')
})

test('TK8: JSON, multipart, parameters in the address and GET are refused; credentials in the address never count', async () => {
  const pending = await newCode()
  const fields = {
    grant_type: 'authorization_code',
    code: pending.code,
    code_verifier: pending.verifier,
    redirect_uri: app.redirectUri,
  }
  const credentials = { client_id: app.clientId, client_secret: app.secret }
  const send = async (path: string, type: string, body: string, headers = {}) =>
    sendOnWire(licet.issuer, 'POST', path, { headers: { 'content-type': type, ...headers }, body })
  const encoded = 'application/x-www-form-urlencoded'
  const attempts = [
    await send('/token', 'application/json', JSON.stringify({ ...fields, ...credentials })),
    await send(
      '/token',
      'multipart/form-data; boundary=x',
      `--x\r\ncontent-disposition: form-data; name="code"\r\n\r\n${pending.code}\r\n--x--`,
    ),
    await send('/token', 'text/plain', form({ ...fields, ...credentials })),
    await send(`/token?${form(credentials)}`, encoded, form(fields)),
    await send(`/token?${form({ ...fields, ...credentials })}`, encoded, ''),
    await sendOnWire(licet.issuer, 'GET', `/token?${form({ ...fields, ...credentials })}`),
  ]
  for (const { status, text } of attempts) {
    assert.ok(status >= 400 && status < 500, `${status} ${text}`)
    assert.ok(!text.includes(pending.code) && !text.includes(app.secret ?? '-'))
  }
  assert.equal((await app.redeem(pending)).status, 200)
})

test('TK8: a parameter sent twice is refused', async () => {
  const pending = await newCode()
  refused(await app.redeem(pending, { code: [pending.code, 'other'] }), 'invalid_request')
  refused(await app.redeem(pending, { grant_type: ['authorization_code', 'refresh_token'] }), 'invalid_request')
  assert.equal((await app.redeem(pending)).status, 200)
})

test('TK9: two ways of client authentication in one request are refused', async () => {
  const pending = await newCode()
  refused(await app.redeem(pending, { client_secret: app.secret }), 'invalid_request')
  refused(
    await app.redeem(pending, {
      client_assertion: 'a.b.c',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }),
    'invalid_request',
  )
  refused(await app.redeem(pending, { client_id: 'somebody-else' }), 'invalid_request')
  assert.equal((await app.redeem(pending)).status, 200)
})
