/**
 * Attacks on API keys and personal access tokens over HTTP (threats.md AK1–AK10), and on what is read of them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner, ownApp, TEN } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { dumpSqlite } from '../support/dump.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

let licet: Licet
let app: AppClient
let ada: Owner
let eve: Owner
let time = Date.now()

before(async () => {
  licet = await startLicet({
    now: () => time,
    file: { keys: { allowed_scopes: [...TEN] }, trusted_proxies: ['127.0.0.1/32'] },
    env: { LICET_LOG_LEVEL: 'debug' },
  })
  app = await ownApp(licet)
  ada = await newOwner(licet, { app })
  eve = await newOwner(licet, { app })
})
after(() => licet.close())

const call = (method: string, path: string, token?: string, json?: unknown, headers: Record<string, string> = {}) =>
  callApi(licet.issuer, method, path, { token, json, headers })
const ROOMS = ['/api/v1/keys', '/api/v1/tokens']

test("AK1: a body cannot name another owner, another life or another's rights", async () => {
  const honest = { name: 'x', scopes: ['data:read'] }
  for (const room of ROOMS) {
    for (const [field, value] of [
      ['owner_id', eve.accountId],
      ['ownerId', eve.accountId],
      ['userId', eve.accountId],
      ['account', eve.accountId],
      ['id', 'chosen'],
      ['key', 'licet_key_chosen'],
      ['kind', 'personal_access_token'],
      ['created_at', '2020-01-01T00:00:00Z'],
      ['expires_at', '2099-01-01T00:00:00Z'],
      ['expiresAt', 4_102_444_800_000],
      ['rateLimit', { max: 1e9 }],
      ['rateLimitEnabled', false],
      ['ancestors', []],
      ['parent_id', 'x'],
      ['elevation', { scope: 'data:write', until: 4_102_444_800_000, secretNumber: 1 }],
      ['state', 'active'],
      ['constructor', { prototype: {} }],
    ] as const) {
      const answer = await ada.call('POST', room, { json: { ...honest, [field]: value } })
      assert.equal(answer.status, 400, `${field}: ${answer.text}`)
    }
    const polluted = '{"name":"x","scopes":["data:read"],"__proto__":{"ownerId":"x"}}'
    const answer = await callApi(licet.issuer, 'POST', room, {
      token: ada.token,
      headers: { 'content-type': 'application/json' },
      ...({ body: polluted } as object),
    })
    assert.equal(answer.status, 400)
    assert.equal((await call('POST', room, undefined, honest)).status, 401)
    const cookie = [...ada.person.cookies].map(([name, { value }]) => `${name.split('\n')[0]}=${value}`).join('; ')
    assert.equal(
      (await call('POST', room, undefined, honest, { cookie })).status,
      401,
      'a session is no credential here',
    )
  }
  const { items } = (await eve.call('GET', '/api/v1/keys')).body
  assert.deepEqual(items, [])
})

test('AK1: what is too much, or of another form, is refused', async () => {
  for (const json of [
    { name: 'x'.repeat(5000), scopes: ['data:read'] },
    { name: 'x', scopes: Array.from({ length: 5000 }, (_, index) => `s${index}`) },
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['data:read'], expires_in: 366 * 86_400 },
    { name: 'x', scopes: ['data:read'], expires_in: -1 },
    { name: 'x', scopes: ['data:read'], quota: { requests: 0, window_seconds: 60 } },
    { name: 'x', scopes: ['data:read'], quota: { requests: 1, window_seconds: 1e12 } },
    { name: 'x', scopes: 'data:read' },
    [],
    null,
    'text',
  ])
    assert.equal((await ada.call('POST', '/api/v1/keys', { json })).status, 400, JSON.stringify(json)?.slice(0, 80))
  const body = '{"name":"x","scopes":["data:read"],"scopes":["api:write"]}'
  const twice = await ada.call('POST', '/api/v1/keys', { body, headers: { 'content-type': 'application/json' } })
  assert.equal(twice.status, 400, 'a name twice: what is in between may have read the other one')
})

test('AK2: an owner who loses a right loses it in every key at once', async () => {
  const root = await newOwner(licet, { app, scope: TEN, account: { role: 'administrator' } })
  await newOwner(licet, { app, account: { role: 'administrator' } })
  const made = await root.call('POST', '/api/v1/keys', { json: { name: 'Ops', scopes: ['api:admin', 'data:read'] } })
  assert.equal(made.status, 201, made.text)
  const { key } = made.body
  const admin = () => call('GET', '/api/v1/verify?scope=api:admin', key)
  assert.equal((await admin()).status, 200)
  const jwt = String((await admin()).headers['authorization']).slice(7)
  await licet.core.accounts.setRole(operator, root.accountId, 'member')
  time += 1000
  assert.equal((await admin()).status, 403)
  assert.deepEqual((await call('GET', '/api/v1/accounts/me', key)).body.scopes, ['data:read'])
  const wider = await ada.call('POST', '/api/v1/keys', { json: { name: 'x', scopes: ['api:admin'] } })
  assert.equal(wider.status, 400)
  await licet.core.accounts.disable(operator, root.accountId, 'test')
  time += 1000
  for (const token of [key, jwt]) assert.equal((await call('GET', '/api/v1/accounts/me', token)).status, 401)
})

test('AK2: an access token makes keys within its own scopes only', async () => {
  const narrow = await newOwner(licet, { app, scope: ['api:write', 'data:read'] })
  const asked = { json: { name: 'x', scopes: ['data:read', 'data:write'] } }
  const refused = await narrow.call('POST', '/api/v1/keys', asked)
  assert.deepEqual([refused.status, refused.body.errors[0].code], [400, 'beyond_credential'])
})

test('AK3: a personal token is no access token, no refresh token, no secret, and opens nothing beyond its scopes', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { kind: 'personal_access_token', scopes: ['data:read'] })
  const web = await registerApp(licet)
  assert.equal((await call('GET', '/userinfo', key)).status, 401)
  assert.equal((await web.refresh(key)).status, 400)
  assert.equal((await web.redeem({ code: key, verifier: 'x'.repeat(43) })).status, 400)
  assert.deepEqual((await web.introspect(key)).body, { active: false })
  assert.equal((await web.revoke(key)).status, 200)
  assert.equal((await call('GET', '/api/v1/accounts/me', key)).status, 200, 'a stranger cannot revoke it')
  for (const [method, path] of [
    ['GET', '/api/v1/keys'],
    ['POST', '/api/v1/keys'],
    ['DELETE', `/api/v1/tokens/${id}`],
    ['POST', `/api/v1/tokens/${id}/rotate`],
    ['PATCH', `/api/v1/tokens/${id}`],
    ['GET', '/api/v1/sessions'],
    ['GET', '/api/v1/grants'],
    ['GET', '/api/v1/activity'],
    ['GET', '/api/v1/apps'],
    ['POST', '/api/v1/apps'],
  ] as const) {
    const refused = await call(method, path, key, method === 'GET' || method === 'DELETE' ? undefined : {})
    assert.deepEqual([refused.status, refused.body.code], [403, 'insufficient_scope'], `${method} ${path}`)
  }
  const writer = await makeKey(licet, ada.accountId, { scopes: ['api:read', 'api:write'], mayCreateChildren: true })
  const body = { name: 'x', scopes: ['api:read'] }
  for (const room of ROOMS) assert.equal((await call('POST', room, writer.key, body)).status, 401)
  assert.equal((await call('POST', `/api/v1/keys/${writer.id}/rotate`, writer.key, {})).status, 401)
  assert.equal((await call('PATCH', `/api/v1/keys/${writer.id}`, writer.key, { name: 'y' })).status, 403)
})

test('AK4: everything but the very key is refused alike', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['api:read'] })
  const dead = await makeKey(licet, ada.accountId, { scopes: ['api:read'] })
  const short = await makeKey(licet, ada.accountId, { scopes: ['api:read'], expiresInSeconds: 60 })
  await ada.call('DELETE', `/api/v1/keys/${dead.id}`)
  time += 61_000
  const flipped = key.slice(10).replace(/[a-z]/, (letter) => letter.toUpperCase())
  const bodies = new Set<string>()
  for (const wrong of [
    key.slice(0, -1),
    `${key}0`,
    key.slice(0, 12),
    key.toUpperCase(),
    key.toLowerCase(),
    `licet_key_${flipped}`,
    key.replace('licet_key_', 'licet_pat_'),
    key.replace('licet_key_', 'licet_cs_'),
    key.replace('licet_', 'other_'),
    id,
    dead.key,
    short.key,
  ].filter((wrong) => wrong !== key)) {
    const { status, body, headers } = await call('GET', '/api/v1/keys', wrong)
    assert.equal(status, 401, wrong)
    assert.match(String(headers['www-authenticate']), /error="invalid_token"/)
    if (wrong.startsWith('licet_key') || wrong.startsWith('licet_pat'))
      bodies.add(JSON.stringify({ ...body, request_id: '', error_ref: String(body.error_ref).length }))
  }
  assert.equal(bodies.size, 1)
  assert.equal((await call('GET', '/api/v1/keys', key)).status, 200)
})

test('AK6: a key counts in the header only, and stands in no log, no error and no store', async () => {
  const made = await ada.call('POST', '/api/v1/keys', { json: { name: 'Deploy', scopes: ['api:read'] } })
  const { id, key } = made.body
  const answers = [
    await call('GET', `/api/v1/keys?access_token=${key}`),
    await call('GET', `/api/v1/keys?key=${key}`),
    await call('GET', '/api/v1/keys', undefined, undefined, { 'x-api-key': key }),
    await call('GET', '/api/v1/keys', undefined, undefined, { cookie: `key=${key}` }),
    await call('GET', '/api/v1/keys', undefined, undefined, { authorization: `Token ${key}` }),
    await call('GET', '/api/v1/keys', undefined, undefined, { authorization: `Bearer ${key} ${key}` }),
    await call('GET', `/api/v1/keys/${key}`, ada.token),
    await call('POST', '/api/v1/keys', ada.token, { name: key, scopes: [key], [key]: 1 }),
    await call('GET', `/api/v1/denials/${key}`, ada.token),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [401, 401, 401, 401, 401, 401, 404, 400, 404],
  )
  await call('DELETE', `/api/v1/keys/${id}`, key)
  await call('POST', '/api/v1/leaks', undefined, { key })
  await licet.core.keys.flush()
  const seen = [
    ...answers.filter((_one, index) => index !== 7).map(({ text }) => text),
    licet.log.join('\n'),
    (await ada.call('GET', '/api/v1/activity')).text,
    (await ada.call('GET', `/api/v1/keys/${id}`)).text,
    (await ada.call('GET', `/api/v1/keys/${id}/usage`)).text,
    dumpSqlite(licet.directory),
  ]
  const secret = key.slice('licet_key_'.length)
  for (const [at, text] of seen.entries()) assert.equal(text.includes(secret), false, `in ${at}`)
  const shown = (await ada.call('GET', `/api/v1/keys/${id}`)).body
  assert.equal(shown.hint, `licet_key_…${key.slice(-4)}`)
})

test('AK7: what belongs to somebody else is not there, for reading, changing and ending', async () => {
  const key = await makeKey(licet, ada.accountId, { scopes: ['api:read'] })
  const pat = await makeKey(licet, ada.accountId, { kind: 'personal_access_token' })
  const web = await ada.call('POST', '/api/v1/apps', {
    json: { name: 'N', type: 'web', redirect_uris: ['https://n.example/'], scopes: [] },
  })
  const session = (await ada.call('GET', '/api/v1/sessions')).body.items[0].id
  const denied = await call('DELETE', '/api/v1/keys/x', key.key)
  const id = web.body.client_id
  for (const [method, path, json] of [
    ['GET', `/api/v1/keys/${key.id}`],
    ['PATCH', `/api/v1/keys/${key.id}`, { name: 'mine' }],
    ['DELETE', `/api/v1/keys/${key.id}`],
    ['POST', `/api/v1/keys/${key.id}/rotate`, {}],
    ['GET', `/api/v1/keys/${key.id}/usage`],
    ['GET', `/api/v1/tokens/${pat.id}`],
    ['DELETE', `/api/v1/tokens/${pat.id}`],
    ['POST', `/api/v1/tokens/${pat.id}/rotate`, {}],
    ['GET', `/api/v1/apps/${id}`],
    ['PATCH', `/api/v1/apps/${id}`, { name: 'mine' }],
    ['DELETE', `/api/v1/apps/${id}`],
    ['POST', `/api/v1/apps/${id}/rotate-secret`, {}],
    ['GET', '/api/v1/apps/settings'],
    ['DELETE', '/api/v1/apps/settings'],
    ['DELETE', `/api/v1/sessions/${session}`],
    ['GET', `/api/v1/denials/${denied.body.error_ref}`],
  ] as const) {
    const foreign = await eve.call(method, path, json ? { json } : {})
    const nowhere = await eve.call(
      method,
      path.replace(/[^/]+(?=(\/(rotate|usage|rotate-secret))?$)/, 'nothing'),
      json ? { json } : {},
    )
    assert.equal(foreign.status, 404, `${method} ${path}: ${foreign.text}`)
    assert.deepEqual({ ...foreign.body, request_id: '' }, { ...nowhere.body, request_id: '' }, `${method} ${path}`)
  }
  for (const query of [`account=${ada.accountId}`, `user=${ada.accountId}`, `owner_id=${ada.accountId}`]) {
    const { text } = await eve.call('GET', `/api/v1/activity?${query}`)
    assert.equal(text.includes(key.id), false)
  }
  assert.equal((await ada.call('GET', `/api/v1/keys/${key.id}`)).body.state, 'active')
})

test('AK8: a forged cursor is refused or finds nothing of others, and nothing is injected', async () => {
  for (let count = 0; count < 3; count += 1) await makeKey(licet, ada.accountId)
  const theirs = (await ada.call('GET', '/api/v1/keys?limit=1')).body.next_cursor
  const place = Buffer.from(theirs, 'base64url').toString()
  const encoded = (text: string) => Buffer.from(text).toString('base64url')
  const cursors = [
    theirs,
    'x',
    '%00',
    encoded(`${place}' OR '1'='1`),
    encoded("p0:' UNION SELECT * FROM entry --"),
    encoded(`p999999999999999:${'z'.repeat(100)}`),
    encoded('i'),
    encoded('-1'),
    encoded('9007199254740993'),
    'A'.repeat(500),
  ]
  for (const path of ['keys', 'tokens', 'apps', 'sessions', 'grants', 'activity'])
    for (const cursor of cursors) {
      const answer = await eve.call('GET', `/api/v1/${path}?cursor=${encodeURIComponent(cursor)}`)
      assert.ok([200, 400].includes(answer.status), `${path} ${cursor}: ${answer.text}`)
      assert.equal(answer.text.includes(ada.accountId), false)
      if (path === 'keys') assert.deepEqual(answer.body.items ?? [], [])
    }
  const long = await eve.call('GET', `/api/v1/keys?cursor=${'A'.repeat(501)}`)
  assert.equal(long.status, 400)
  for (const query of ["sort=name'--", 'filter[$ne]=1', 'limit[]=1', 'limit=1&limit=2', 'state[$gt]='])
    assert.ok((await eve.call('GET', `/api/v1/keys?${query}`)).status < 500, query)
})

test('AK9: PATCH changes what it may and refuses every other field', async () => {
  const { id } = await makeKey(licet, ada.accountId)
  for (const change of [
    { owner_id: eve.accountId },
    { expires_in: 86_400 },
    { expires_at: '2099-01-01T00:00:00Z' },
    { state: 'active' },
    { revoked: null },
    { resource: 'https://elsewhere.example/' },
    { kind: 'personal_access_token' },
    { last_used_at: null },
  ])
    assert.equal((await ada.call('PATCH', `/api/v1/keys/${id}`, { json: change })).status, 400, JSON.stringify(change))
  const made = await ada.call('POST', '/api/v1/apps', {
    json: { name: 'N', type: 'web', redirect_uris: ['https://n.example/'], scopes: ['data:read'] },
  })
  for (const change of [
    { first_party: true },
    { firstParty: true },
    { verified: true },
    { resource_server: `${licet.issuer}/api/v1` },
    { resourceServer: `${licet.issuer}/api/v1` },
    { owner: eve.accountId },
    { ownerId: eve.accountId },
    { type: 'service' },
    { auth: 'none' },
    { suspended: null },
    { metadata: { tier: 'gold' } },
    { secrets: [] },
    { scopes: ['api:admin'] },
  ]) {
    const path = `/api/v1/apps/${made.body.client_id}`
    assert.equal((await ada.call('PATCH', path, { json: change })).status, 400, JSON.stringify(change))
    const json = { name: 'N', type: 'web', redirect_uris: ['https://n.example/'], ...change }
    if (!('type' in change || 'auth' in change))
      assert.equal((await ada.call('POST', '/api/v1/apps', { json })).status, 400, JSON.stringify(change))
  }
})

test('AK10: the network of a key is judged by the address in one form, whoever spells it', async () => {
  const v4 = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/25'] })
  const v6 = await makeKey(licet, ada.accountId, { allowedIps: ['2001:db8::/48'] })
  const verify = (key: string, from: string) =>
    call('GET', '/api/v1/verify', key, undefined, { 'x-forwarded-for': from })
  for (const [key, from, status] of [
    [v4.key, '203.0.113.0', 200],
    [v4.key, '203.0.113.127', 200],
    [v4.key, '203.0.113.128', 401],
    [v4.key, '::ffff:203.0.113.7', 200],
    [v4.key, '::ffff:cb00:7107', 200],
    [v4.key, '198.51.100.1, 203.0.113.7', 200],
    [v4.key, '203.0.113.7, 198.51.100.1', 401],
    [v4.key, '203.0.113.7.evil.example', 401],
    [v4.key, '0313.0.0161.07', 401],
    [v4.key, '', 401],
    [v4.key, '203.0.113.7/32', 401],
    [v6.key, '2001:DB8:0:0::1', 200],
    [v6.key, '2001:0db8:0000:ffff::', 200],
    [v6.key, '2001:db8:1::', 401],
    [v6.key, 'fe80::1%eth0', 401],
    [v6.key, '::ffff:203.0.113.7', 401],
  ] as const)
    assert.equal((await verify(key, from)).status, status, from)
  const away = await verify(v4.key, '198.51.100.7')
  const unknown = await verify(`licet_key_${'0'.repeat(38)}`, '198.51.100.7')
  assert.deepEqual({ ...away.body, request_id: '', error_ref: '' }, { ...unknown.body, request_id: '', error_ref: '' })
  const why = (await ada.call('GET', `/api/v1/denials/${away.body.error_ref}`)).body
  assert.deepEqual([why.reason, why.ip], ['ip_not_allowed', '198.51.100.7'])
})
