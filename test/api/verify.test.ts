/**
 * `/api/v1/verify`: what a gateway is told about a request, and what it is handed for the service behind it.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { Store } from '../../src/storage/store.ts'
import { type ApiCall, callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

const MCP = 'https://mcp.example.test/mcp'

let licet: Licet
let ada: Owner
let time = Date.now()
let finds = 0
const counting = (store: Store): Store => ({
  ...store,
  find: (kind, id) => {
    finds += 1
    return store.find(kind, id)
  },
})

before(async () => {
  const resources = [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read', 'mcp:write'] }]
  const env = { LICET_TRUSTED_PROXIES: '127.0.0.1/32' }
  licet = await startLicet({ now: () => time, around: counting, file: { resources }, env })
  ada = await newOwner(licet)
})
after(() => licet.close())

const verify = (token: string, path = '', { method = 'GET', ...call }: ApiCall & { method?: string } = {}) =>
  callApi(licet.issuer, method, `/api/v1/verify${path}`, { token, ...call })

test('a request with a key may pass, and the gateway gets who asks and a short JWT', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'data:write'] })
  const answer = await verify(key)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.text, '')
  const { headers } = answer
  assert.equal(headers['x-licet-subject'], ada.accountId)
  assert.equal(headers['x-licet-scope'], 'data:read data:write')
  assert.equal(headers['x-licet-credential'], `api_key:${id}`)
  const [scheme, token = ''] = String(headers['authorization']).split(' ')
  assert.equal(scheme, 'Bearer')
  const keys = createRemoteJWKSet(new URL(`${licet.issuer}/.well-known/jwks.json`))
  const audience = `${licet.issuer}/api/v1`
  const { payload } = await jwtVerify(token, keys, { issuer: licet.issuer, audience, currentDate: new Date(time) })
  assert.deepEqual(
    [payload.sub, payload['client_id'], payload['act'], payload['scope']],
    [ada.accountId, `api_key:${id}`, { sub: `api_key:${id}` }, 'data:read data:write'],
  )
  assert.ok(Number(payload.exp) - time / 1000 <= 600)
})

test('the JWT never outlives the key, nor what was left of an old secret', async () => {
  const seconds = (headers: object) =>
    Number(decodeJwt(String((headers as Record<string, string>)['authorization']).slice(7)).exp) - time / 1000
  const short = await makeKey(licet, ada.accountId, { expiresInSeconds: 60 })
  assert.ok(seconds((await verify(short.key)).headers) <= 60)
  const { id, key } = await makeKey(licet, ada.accountId)
  assert.ok(seconds((await verify(key)).headers) > 500)
  await ada.call('POST', `/api/v1/keys/${id}/rotate`, { json: { overlap_seconds: 30 } })
  const old = await verify(key)
  assert.ok(seconds(old.headers) <= 30)
  assert.ok(old.headers['sunset'])
})

test('every method and every path below is answered, for any host', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])
    for (const path of ['', '/', '/orders/7', '/a/../b', '/%2e%2e/%00x']) {
      const answer = await verify(key, path, { method, headers: { host: 'orders.internal' } })
      assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`)
    }
  const other = await callApi(licet.issuer, 'GET', '/api/v1/verifyx', {
    token: key,
    headers: { host: 'orders.internal' },
  })
  assert.equal(other.status, 421)
})

test('a body that a gateway sends along changes nothing', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  const answer = await verify(key, '?scope=data:read', {
    method: 'POST',
    json: { scope: 'none', padding: 'x'.repeat(50_000) },
  })
  assert.equal(answer.status, 200, answer.text)
})

test('what the gateway demands counts: 403 says which scope is missing', async () => {
  const { key } = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'mcp:read'] })
  for (const query of ['?scope=data:read', '?scope=data:read%20mcp:read', '?scope=data:read&scope=mcp:read', '?scope='])
    assert.equal((await verify(key, query)).status, 200, query)
  for (const query of [
    '?scope=data:write',
    '?scope=data:read%20data:write',
    '?scope=data:read&scope=data:write',
    '/x?scope=data:write',
    '?scope=nothing',
  ]) {
    const refused = await verify(key, query)
    assert.equal(refused.status, 403, query)
    assert.match(String(refused.headers['www-authenticate']), /error="insufficient_scope".*scope="/)
    assert.equal(refused.headers['authorization'], undefined)
    assert.equal(refused.headers['x-licet-subject'], undefined)
  }
})

test('the audience is what the gateway says, and the scopes are those of that resource', async () => {
  const { key } = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'mcp:read'] })
  const at = await verify(key, `?audience=${encodeURIComponent(MCP)}`)
  assert.equal(at.status, 200, at.text)
  assert.equal(at.headers['x-licet-scope'], 'mcp:read')
  assert.equal(decodeJwt(String(at.headers['authorization']).slice(7)).aud, MCP)
  assert.equal((await verify(key, '?audience=https://nowhere.example/')).status, 401)
  const api = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
  const nothing = await verify(api.key, `?audience=${encodeURIComponent(MCP)}`)
  assert.equal(nothing.status, 401)
  const denial = (await ada.call('GET', `/api/v1/denials/${nothing.body.error_ref}`)).body
  assert.deepEqual([denial.reason, denial.credential], ['audience_mismatch', `api_key:${api.id}`])
  const { total } = (await ada.call('GET', `/api/v1/keys/${api.id}/usage`)).body
  assert.deepEqual(
    total,
    { ok: 0, denied: 1, limited: 0 },
    'what was refused is counted as refused, and spends nothing',
  )
  const bound = await makeKey(licet, ada.accountId, { scopes: ['mcp:read'], resource: MCP })
  assert.equal((await verify(bound.key)).status, 401)
  assert.equal((await verify(bound.key, `?audience=${encodeURIComponent(MCP)}`)).status, 200)
})

test('a client of a gateway that keeps the query cannot choose the audience', async () => {
  const bound = await makeKey(licet, ada.accountId, { scopes: ['mcp:read'], resource: MCP })
  assert.equal((await verify(bound.key, `/orders?audience=${encodeURIComponent(MCP)}`)).status, 401)
})

test('an access token may pass as it is, for its own audience', async () => {
  const answer = await verify(ada.token, '?scope=data:read')
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['authorization'], `Bearer ${ada.token}`)
  assert.equal(answer.headers['x-licet-subject'], ada.accountId)
  assert.match(String(answer.headers['x-licet-credential']), /^access_token:/)
  assert.equal((await verify(ada.token, '?scope=api:admin')).status, 403)
  assert.equal((await verify(ada.token, `?audience=${encodeURIComponent(MCP)}`)).status, 401)
  const { key } = await makeKey(licet, ada.accountId)
  const handed = String((await verify(key)).headers['authorization']).slice(7)
  assert.equal((await verify(handed)).headers['x-licet-subject'], ada.accountId)
})

test('nobody without a good credential passes, and all of them get the same answer', async () => {
  const away = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/24'] })
  const gone = await makeKey(licet, ada.accountId)
  await ada.call('DELETE', `/api/v1/keys/${gone.id}`)
  time += 1000
  const none = await callApi(licet.issuer, 'GET', '/api/v1/verify')
  assert.equal(none.status, 401)
  const bodies = []
  for (const key of [away.key, gone.key, `licet_key_${'a'.repeat(38)}`, 'licet_key_', 'licet_pat_x']) {
    const { status, body, headers } = await verify(key)
    assert.equal(status, 401)
    assert.match(String(headers['www-authenticate']), /resource_metadata="/)
    bodies.push(JSON.stringify({ ...body, request_id: '', error_ref: body.error_ref.length }))
  }
  assert.equal(new Set(bodies).size, 1)
  assert.equal((await verify(away.key, '', { headers: { 'x-forwarded-for': '203.0.113.9' } })).status, 200)
})

test('the owner reads which request of the gateway was refused', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  const told = { 'x-original-method': 'POST', 'x-original-uri': '/orders?secret=1' }
  for (const [path, headers, line] of [
    ['?scope=llm:read', told, 'POST /orders'],
    ['?scope=mcp:read', { 'x-forwarded-method': 'PUT', 'x-forwarded-uri': '/items/1' }, 'PUT /items/1'],
    ['/carts/2?scope=mcp:write', {}, 'GET /carts/2'],
  ] as const) {
    const refused = await verify(key, path, { headers })
    assert.equal(refused.status, 403)
    const denial = await ada.call('GET', `/api/v1/denials/${refused.body.error_ref}`)
    assert.deepEqual([denial.body.request, denial.body.reason], [line, 'scope_missing'])
  }
})

test('a key known to this process costs no read, any other at most one and its owner', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  await verify(key)
  finds = 0
  for (let count = 0; count < 50; count += 1) assert.equal((await verify(key)).status, 200)
  assert.equal(finds, 0)
  time += 1000
  await verify(key)
  assert.equal(finds, 2)
  finds = 0
  for (const garbage of [`${key.slice(0, -1)}!`, `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`, 'licet_key_x'])
    assert.equal((await verify(garbage)).status, 401)
  assert.equal(finds, 0)
})

test('a disabled owner, a rotation that has ended and a limit stop a request that passed before', async () => {
  const owner = await newOwner(licet)
  const { key } = await makeKey(licet, owner.accountId)
  assert.equal((await verify(key)).status, 200)
  await licet.core.accounts.disable(operator, owner.accountId, 'test')
  time += 1000
  assert.equal((await verify(key)).status, 401)
  const few = await makeKey(licet, ada.accountId, { quota: { requests: 1, windowSeconds: 60 } })
  assert.equal((await verify(few.key)).status, 200)
  const limited = await verify(few.key)
  assert.equal(limited.status, 429)
  assert.ok(limited.headers['retry-after'])
})
