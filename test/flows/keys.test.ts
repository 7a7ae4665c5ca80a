/**
 * Keys beyond our own API: introspection for resource servers (RFC 7662) and the exchange into a short JWT (RFC 8693).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

const MCP = 'https://mcp.example.test/mcp'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const API_KEY = 'urn:licet:token-type:api_key'
const PAT = 'urn:licet:token-type:personal_access_token'

let licet: Licet
let ada: Owner
let gateway: AppClient
let mcpServer: AppClient
let apiServer: AppClient
let notes: AppClient
let time = Date.now()

before(async () => {
  const resources = [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read', 'mcp:write'] }]
  const claims = { access_token: { plan: 'account.attributes.plan', region: { constant: 'eu' } } }
  licet = await startLicet({ now: () => time, file: { resources, claims } })
  ada = await newOwner(licet, { account: { attributes: { plan: 'team' } } })
  const service = { type: 'service', scopes: [] } as const
  gateway = await registerApp(licet, { ...service, name: 'Gateway' })
  mcpServer = await registerApp(licet, { ...service, name: 'MCP', resourceServer: MCP })
  apiServer = await registerApp(licet, { ...service, name: 'API', resourceServer: `${licet.issuer}/api/v1` })
  notes = await registerApp(licet)
})
after(() => licet.close())

const exchange = (key: string, params = {}, by = gateway) =>
  by.post('/token', { grant_type: EXCHANGE, subject_token: key, subject_token_type: API_KEY, ...params })

test('a resource server introspects keys for its own audience', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'mcp:read'] })
  const atMcp = await mcpServer.introspect(key)
  assert.equal(atMcp.status, 200, atMcp.text)
  assert.deepEqual(
    { ...atMcp.body, iat: 0, exp: 0 },
    {
      active: true,
      iss: licet.issuer,
      sub: ada.accountId,
      aud: MCP,
      client_id: `api_key:${id}`,
      scope: 'mcp:read',
      iat: 0,
      exp: 0,
      token_type: 'Bearer',
      credential_type: 'api_key',
      act: { sub: `api_key:${id}` },
    },
  )
  assert.equal((await apiServer.introspect(key)).body['scope'], 'data:read mcp:read')
  const pat = await makeKey(licet, ada.accountId, { kind: 'personal_access_token', scopes: ['mcp:write'] })
  assert.equal((await mcpServer.introspect(pat.key)).body['client_id'], `personal_access_token:${pat.id}`)
})

test('IR1: a key is inactive to every app but a resource server for which it holds something', async () => {
  const api = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
  const bound = await makeKey(licet, ada.accountId, { scopes: ['mcp:read'], resource: MCP })
  for (const [who, key] of [
    [notes, api.key],
    [gateway, api.key],
    [mcpServer, api.key],
    [apiServer, bound.key],
    [mcpServer, `${api.key.slice(0, -1)}x`],
    [mcpServer, 'licet_key_'],
    [mcpServer, 'licet_pat_'],
  ] as const)
    assert.deepEqual((await who.introspect(key)).body, { active: false })
  assert.equal((await mcpServer.introspect(bound.key)).body.active, true)
  const nobody = await callApi(licet.issuer, 'POST', '/introspect', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    json: undefined,
  })
  assert.ok(nobody.status >= 400 && nobody.status < 500)
})

test('IR3: a key is inactive once it is revoked, its owner disabled, or before it begins', async () => {
  const owner = await newOwner(licet)
  const revoked = await makeKey(licet, owner.accountId, { scopes: ['mcp:read'] })
  const living = await makeKey(licet, owner.accountId, { scopes: ['mcp:read'] })
  const early = await makeKey(licet, owner.accountId, { scopes: ['mcp:read'], notBefore: time + 60_000 })
  assert.equal((await mcpServer.introspect(revoked.key)).body.active, true)
  await owner.call('DELETE', `/api/v1/keys/${revoked.id}`)
  assert.equal((await mcpServer.introspect(living.key)).body.active, true)
  await licet.core.accounts.disable(operator, owner.accountId, 'test')
  time += 1000
  for (const { key } of [revoked, living, early])
    assert.deepEqual((await mcpServer.introspect(key)).body, { active: false })
})

test('a key of certain networks is judged by the address that the resource server names, else by its own', async () => {
  const { key } = await makeKey(licet, ada.accountId, { scopes: ['mcp:read'], allowedIps: ['203.0.113.0/24'] })
  const ask = (params: Record<string, string>) => mcpServer.post('/introspect', { token: key, ...params })
  assert.equal((await ask({})).body.active, false)
  assert.equal((await ask({ client_ip: '198.51.100.1' })).body.active, false)
  assert.equal((await ask({ client_ip: 'not an address' })).body.active, false)
  assert.equal((await ask({ client_ip: '203.0.113.7' })).body.active, true)
})

test('a key is exchanged for a short JWT that says who acts, for one resource', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'data:write', 'mcp:read'] })
  const answer = await exchange(key)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(
    { ...answer.body, access_token: '' },
    {
      access_token: '',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'data:read data:write mcp:read',
    },
  )
  const keys = createRemoteJWKSet(new URL(`${licet.issuer}/.well-known/jwks.json`))
  const { payload, protectedHeader } = await jwtVerify(answer.body.access_token, keys, {
    issuer: licet.issuer,
    audience: `${licet.issuer}/api/v1`,
    currentDate: new Date(time),
  })
  assert.deepEqual([protectedHeader.typ, protectedHeader.alg], ['at+jwt', 'ES256'])
  assert.deepEqual(
    [payload.sub, payload['client_id'], payload['act']],
    [ada.accountId, gateway.clientId, { sub: `api_key:${id}` }],
  )
  assert.deepEqual([payload['plan'], payload['region']], ['team', 'eu'])
  assert.equal(Number(payload.exp) - Number(payload.iat), 600)

  const narrower = await exchange(key, { scope: 'mcp:read', resource: 'HTTPS://MCP.example.test/mcp/' })
  assert.equal(narrower.status, 200, narrower.text)
  const claims = decodeJwt(narrower.body.access_token)
  assert.deepEqual([claims.aud, claims['scope']], [MCP, 'mcp:read'])

  const pat = await makeKey(licet, ada.accountId, {
    kind: 'personal_access_token',
    scopes: ['mcp:write'],
    resource: MCP,
  })
  const own = await exchange(pat.key, { subject_token_type: PAT })
  assert.equal(decodeJwt(own.body.access_token).aud, MCP)
  assert.deepEqual(decodeJwt(own.body.access_token)['act'], { sub: `personal_access_token:${pat.id}` })
})

test('an exchanged token works at the API, never longer than its key', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['api:read', 'api:write'] })
  const token = (await exchange(key)).body.access_token
  assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/keys', { token })).status, 200)
  assert.equal((await apiServer.introspect(token)).body.active, true)
  assert.equal((await gateway.introspect(token)).body.active, true)
  await ada.call('DELETE', `/api/v1/keys/${id}`)
  time += 1000
  assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/keys', { token })).status, 401)
  for (const who of [apiServer, gateway]) assert.deepEqual((await who.introspect(token)).body, { active: false })

  const short = await makeKey(licet, ada.accountId, { expiresInSeconds: 90 })
  const made = await exchange(short.key)
  assert.ok(Number(made.body['expires_in']) <= 90, made.text)
  const turned = await makeKey(licet, ada.accountId)
  await ada.call('POST', `/api/v1/keys/${turned.id}/rotate`, { json: { overlap_seconds: 120 } })
  assert.ok(Number((await exchange(turned.key)).body['expires_in']) <= 120)
})

test('a token made from a key cannot make, change or rotate keys', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['api:read', 'api:write', 'data:read'] })
  const token = (await exchange(key)).body.access_token
  const call = (method: string, path: string, json: object) => callApi(licet.issuer, method, path, { token, json })
  assert.equal((await call('POST', '/api/v1/keys', { name: 'x', scopes: ['data:read'] })).status, 401)
  assert.equal((await call('POST', `/api/v1/keys/${id}/rotate`, {})).status, 401)
  assert.equal((await call('PATCH', `/api/v1/keys/${id}`, { name: 'x' })).status, 403)
})

test('TK13: what cannot be exchanged is refused in the words of RFC 8693', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
  const away = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/24'] })
  const cases: [string, object, string][] = [
    ['', {}, 'invalid_request'],
    [key, { subject_token_type: undefined }, 'invalid_request'],
    [key, { subject_token_type: PAT }, 'invalid_request'],
    [key, { subject_token_type: 'constructor' }, 'invalid_request'],
    [key, { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, 'invalid_request'],
    [key, { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [key, { actor_token: key, actor_token_type: API_KEY }, 'invalid_request'],
    [key, { scope: 'data:read data:write' }, 'invalid_scope'],
    [key, { scope: 'openid' }, 'invalid_scope'],
    [key, { resource: 'https://nowhere.example/' }, 'invalid_target'],
    [key, { resource: MCP }, 'invalid_target'],
    [key, { resource: MCP, audience: `${licet.issuer}/api/v1` }, 'invalid_target'],
    [`${key.slice(0, -1)}_`, {}, 'invalid_request'],
    [ada.token, {}, 'invalid_request'],
    [away.key, {}, 'invalid_request'],
  ]
  for (const [subject, params, error] of cases) {
    const answer = await exchange(subject, params)
    assert.deepEqual([answer.status, answer.body.error], [400, error], `${JSON.stringify(params)}: ${answer.text}`)
    assert.equal(answer.text.includes(key), false)
  }
  const refused = await exchange(away.key)
  const unknown = await exchange(`licet_key_${'0'.repeat(38)}`)
  assert.deepEqual({ ...refused.body, error_ref: '' }, { ...unknown.body, error_ref: '' })
  const why = await ada.call('GET', `/api/v1/denials/${refused.body['error_ref']}`)
  assert.deepEqual([why.body.reason, why.body.credential], ['ip_not_allowed', `api_key:${away.id}`])
  assert.equal((await exchange(key, {}, notes)).body.error, 'unauthorized_client')
  const wrong = await callApi(licet.issuer, 'POST', '/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.equal(wrong.status, 401)
  await ada.call('DELETE', `/api/v1/keys/${id}`)
  time += 1000
  assert.equal((await exchange(key)).body.error, 'invalid_request')
})

test('attack: exchanging does not stretch a budget or a quota: calls with the JWT are paid by the key and by what is above it', async () => {
  const root = await makeKey(licet, ada.accountId, { mayCreateChildren: true, callBudget: 6, scopes: ['data:read'] })
  const json = { name: 'Child', scopes: ['data:read'], call_budget: 3 }
  const child = await callApi(licet.issuer, 'POST', `/api/v1/keys/${root.id}/children`, { token: root.key, json })
  assert.equal(child.status, 201, child.text)
  const jwt = async (key: string) => (await exchange(key)).body.access_token
  const me = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })
  const ofChild = await jwt(child.body.key)
  assert.deepEqual([(await me(ofChild)).status, (await me(ofChild)).status], [200, 200])
  const spent = await me(ofChild)
  assert.equal(spent.status, 429, spent.text)
  assert.equal((await ada.call('GET', `/api/v1/denials/${spent.body.error_ref}`)).body.reason, 'budget_spent')
  const unmade = await exchange(child.body.key)
  assert.deepEqual([unmade.status, unmade.body['policy']], [429, 'budget_spent'])
  // Of the six, one made the child and three were the child's.
  const ofRoot = await jwt(root.key)
  assert.deepEqual([(await me(ofRoot)).status, (await me(ofRoot)).status], [200, 429])
  const quick = await makeKey(licet, ada.accountId, { quota: { requests: 2, windowSeconds: 60 } })
  const ofQuick = await jwt(quick.key)
  assert.deepEqual([(await me(ofQuick)).status, (await me(ofQuick)).status], [200, 429])
})

test('an exchange spends of the key, and says when nothing is left', async () => {
  const { key } = await makeKey(licet, ada.accountId, { quota: { requests: 2, windowSeconds: 60 } })
  assert.deepEqual([(await exchange(key)).status, (await exchange(key)).status], [200, 200])
  const spent = await exchange(key)
  assert.equal(spent.status, 429, spent.text)
  assert.ok(Number(spent.headers['retry-after']) >= 1)
  assert.equal((await ada.call('GET', `/api/v1/denials/${spent.body['error_ref']}`)).body.reason, 'quota_exceeded')
})
