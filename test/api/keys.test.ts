/**
 * `/api/v1/keys` and `/api/v1/tokens` over HTTP: every call of the contract's table with its shapes and status codes.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner, ownApp } from '../support/api.ts'
import type { AppClient } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
let app: AppClient
let ada: Owner
let time = Date.now()
const minutes = (count: number) => count * 60_000

before(async () => {
  licet = await startLicet({ now: () => time, file: { lifetimes: { step_up: '1m' } } })
  app = await ownApp(licet)
  ada = await newOwner(licet, { app })
})
after(() => licet.close())

const ROOMS = [
  { path: '/api/v1/keys', kind: 'api_key', form: /^licet_key_[0-9A-Za-z]{38}$/ },
  { path: '/api/v1/tokens', kind: 'personal_access_token', form: /^licet_pat_[0-9A-Za-z]{38}$/ },
] as const

for (const { path, kind, form } of ROOMS) {
  test(`${path}: a new one is shown once, and works at once`, async () => {
    const made = await ada.call('POST', path, { json: { name: 'Deploy', scopes: ['api:read', 'data:read'] } })
    assert.equal(made.status, 201, made.text)
    const { key, ...rest } = made.body
    assert.match(key, form)
    for (const field of ['id', 'name', 'scopes', 'hint', 'created_at', 'expires_at', 'last_used_at', 'last_used_ip'])
      assert.ok(field in rest, field)
    assert.equal(rest.state, 'active')
    assert.deepEqual(rest.allowed_ips, [])
    assert.equal(Date.parse(rest.expires_at) - Date.parse(rest.created_at), 90 * 86_400_000)
    assert.match(made.headers['cache-control'] ?? '', /no-store/)

    const me = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: key })
    assert.equal(me.status, 200, me.text)
    assert.deepEqual(
      [me.body.credential.type, me.body.credential.id, me.body.account.id],
      [kind, rest.id, ada.accountId],
    )

    const read = await ada.call('GET', `${path}/${rest.id}`)
    assert.equal(read.status, 200)
    assert.equal(read.body.name, 'Deploy')
    assert.equal('key' in read.body, false)
    assert.equal(read.text.includes(key), false)
    const list = await ada.call('GET', path)
    assert.ok(list.body.items.some((one: { id: string }) => one.id === rest.id))
    assert.equal(list.text.includes(key), false)
    assert.equal('next_cursor' in list.body, true)
  })

  test(`${path}: each is found in its own room only`, async () => {
    const other = kind === 'api_key' ? '/api/v1/tokens' : '/api/v1/keys'
    const { id } = await makeKey(licet, ada.accountId, { kind })
    for (const [method, at, json] of [
      ['GET', `${other}/${id}`, undefined],
      ['PATCH', `${other}/${id}`, { name: 'x' }],
      ['DELETE', `${other}/${id}`, undefined],
      ['POST', `${other}/${id}/rotate`, {}],
      ['GET', `${other}/${id}/usage`, undefined],
    ] as const) {
      const answer = await ada.call(method, at, json === undefined ? {} : { json })
      assert.equal(answer.status, 404, `${method} ${at}: ${answer.text}`)
    }
    assert.equal((await ada.call('GET', `${path}/${id}`)).body.state, 'active')
  })

  test(`${path}: a rotation keeps the id, and the old secret says that it ends`, async () => {
    const { id, key: old } = await makeKey(licet, ada.accountId, { kind, scopes: ['api:read'] })
    const rotated = await ada.call('POST', `${path}/${id}/rotate`, { json: { overlap_seconds: 3600 } })
    assert.equal(rotated.status, 201, rotated.text)
    assert.equal(rotated.body.id, id)
    assert.match(rotated.body.key, form)
    assert.notEqual(rotated.body.key, old)
    assert.equal(rotated.body.state, 'rotating')
    const before = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: old })
    assert.equal(before.status, 200, before.text)
    assert.match(String(before.headers['deprecation']), /^@\d+$/)
    assert.equal(Date.parse(String(before.headers['sunset'])), Math.floor((time + 3_600_000) / 1000) * 1000)
    const fresh = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: rotated.body.key })
    assert.equal(fresh.status, 200)
    assert.equal(fresh.headers['deprecation'], undefined)
    const again = await ada.call('POST', `${path}/${id}/rotate`, { json: { overlap_seconds: 3600 } })
    assert.equal(again.status, 409, again.text)
    time += 10_000
    const usage = await ada.call('GET', `${path}/${id}/usage`)
    const callers = usage.body.callers.map(({ secret, moving, calls_per_hour: rate }: Record<string, unknown>) =>
      [secret, moving, rate].join(' '),
    )
    assert.deepEqual(callers.sort(), ['current  1', 'old moved 1'])
    assert.equal((await ada.call('DELETE', `${path}/${id}/old-secret`)).status, 204)
    assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: old })).status, 401)
    const quiet = await ada.call('POST', `${path}/${id}/rotate`, { json: { quiet_seconds: 7200 } })
    assert.deepEqual([quiet.status, quiet.body.rotation.quiet_seconds], [201, 7200])
    const now = await ada.call('POST', `${path}/${id}/rotate`, { json: { overlap_seconds: 0 } })
    assert.equal(now.status, 201, now.text)
    for (const token of [old, rotated.body.key, quiet.body.key])
      assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })).status, 401)
    for (const overlap of [-1, 604_801, 1.5, '3600']) {
      const bad = await ada.call('POST', `${path}/${id}/rotate`, { json: { overlap_seconds: overlap } })
      assert.equal(bad.status, 400, `${overlap}: ${bad.text}`)
      assert.equal(bad.body.errors[0].pointer, '/overlap_seconds')
    }
  })

  test(`${path}: DELETE ends it at once, and it stays to be read`, async () => {
    const { id, key } = await makeKey(licet, ada.accountId, { kind, scopes: ['api:read'] })
    assert.equal((await callApi(licet.issuer, 'GET', path, { token: key })).status, 200)
    const gone = await ada.call('DELETE', `${path}/${id}`)
    assert.equal(gone.status, 204)
    assert.equal(gone.text, '')
    time += 1000
    assert.equal((await callApi(licet.issuer, 'GET', path, { token: key })).status, 401)
    const { state, revoked_reason: reason } = (await ada.call('GET', `${path}/${id}`)).body
    assert.deepEqual([state, reason], ['revoked', 'by its owner'])
    assert.equal((await ada.call('PATCH', `${path}/${id}`, { json: { name: 'x' } })).status, 409)
    assert.equal((await ada.call('POST', `${path}/${id}/rotate`, { json: {} })).status, 409)
  })
}

test('a list is paged by an opaque cursor, newest first, and filtered by state', async () => {
  const owner = await newOwner(licet, { app })
  const made: string[] = []
  for (let count = 0; count < 5; count += 1) made.unshift((await makeKey(licet, owner.accountId)).id)
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query = cursor === '' ? 'limit=2' : `limit=2&cursor=${encodeURIComponent(cursor)}`
    const page = await owner.call('GET', `/api/v1/keys?${query}`)
    assert.equal(page.status, 200, page.text)
    seen.push(...page.body.items.map(({ id }: { id: string }) => id))
    cursor = page.body.next_cursor
  }
  assert.deepEqual(seen, made)
  await owner.call('DELETE', `/api/v1/keys/${made[0]}`)
  const revoked = await owner.call('GET', '/api/v1/keys?state=revoked')
  assert.deepEqual(
    revoked.body.items.map(({ id }: { id: string }) => id),
    [made[0]],
  )
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'state=lost'])
    assert.equal((await owner.call('GET', `/api/v1/keys?${query}`)).status, 400, query)
})

test('what is wrong with a new key is named field by field', async () => {
  const wrong = {
    name: ' ',
    scopes: ['data:read', 'data:everything'],
    allowed_ips: ['203.0.113.0/24', 'home'],
    expires_in: 5,
    resource: 'https://nowhere.example/',
  }
  const answer = await ada.call('POST', '/api/v1/keys', { json: wrong })
  assert.equal(answer.status, 400, answer.text)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()
  assert.deepEqual(pointers, ['/allowed_ips/1', '/expires_in', '/name', '/resource', '/scopes/1'])
  for (const field of ['type', 'title', 'status', 'detail', 'code', 'request_id'])
    assert.ok(field in answer.body, field)
})

test('PATCH narrows and renames, and refuses to widen', async () => {
  const { id } = await makeKey(licet, ada.accountId, {
    scopes: ['data:read', 'data:write'],
    allowedIps: ['203.0.113.0/24'],
  })
  const path = `/api/v1/keys/${id}`
  const narrower = { name: 'Nightly', scopes: ['data:read'], allowed_ips: ['203.0.113.7'] }
  const changed = await ada.call('PATCH', path, { json: narrower })
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual(
    [changed.body.name, changed.body.scopes, changed.body.allowed_ips],
    ['Nightly', ['data:read'], ['203.0.113.7/32']],
  )
  for (const wider of [
    { scopes: ['data:read', 'data:write'] },
    { scopes: ['llm:read'] },
    { allowed_ips: ['203.0.113.0/24'] },
    { allowed_ips: [] },
    { may_create_children: true },
  ]) {
    const refused = await ada.call('PATCH', path, { json: wider })
    assert.ok([400, 403].includes(refused.status), `${JSON.stringify(wider)}: ${refused.text}`)
  }
  const still = (await ada.call('GET', path)).body
  assert.deepEqual(
    [still.scopes, still.allowed_ips, still.may_create_children],
    [['data:read'], ['203.0.113.7/32'], false],
  )
})

test('a key is widened outright only: by its own call, within the owner’s rights and the token’s scopes, and its owner is told', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read'], allowedIps: ['203.0.113.7'] })
  const path = `/api/v1/keys/${id}`
  const wider = { scopes: ['data:read', 'data:write'], allowed_ips: [], may_create_children: true }
  assert.equal((await ada.call('PATCH', path, { json: wider })).status, 403)
  const widened = await ada.call('POST', `${path}/widen`, { json: wider })
  assert.equal(widened.status, 200, widened.text)
  assert.deepEqual(
    [widened.body.scopes, widened.body.allowed_ips, widened.body.may_create_children],
    [['data:read', 'data:write'], [], true],
  )
  time += 1000
  const { body } = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: key })
  assert.deepEqual(body.scopes, ['data:read', 'data:write'])
  const limited = await ada.call('PATCH', path, { json: { quota: { requests: 5, window_seconds: 60 } } })
  assert.deepEqual(limited.body.quota, { requests: 5, window_seconds: 60 })
  assert.equal((await ada.call('PATCH', path, { json: { quota: null } })).status, 403)
  assert.equal((await ada.call('POST', `${path}/widen`, { json: { quota: null } })).body.quota, null)
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; subject: string }[]
  assert.equal(mails.filter(({ to, subject }) => to === ada.email && /may do more now/.test(subject)).length, 2)

  const narrow = await newOwner(licet, { app, scope: ['api:write', 'data:read'] })
  const theirs = await makeKey(licet, narrow.accountId, { scopes: ['data:read'] })
  for (const [json, status] of [
    [{ scopes: ['data:read', 'llm:read'] }, 400],
    [{ scopes: ['data:read', 'api:admin'] }, 400],
    [{ resource: 'https://elsewhere.example/' }, 400],
  ] as const)
    assert.equal((await narrow.call('POST', `/api/v1/keys/${theirs.id}/widen`, { json })).status, status)
  assert.equal((await narrow.call('POST', `${path}/widen`, { json: { name: 'x' } })).status, 404, 'AK7')
})

test('making and rotating need a recent sign-in; reading, changing and ending do not', async () => {
  const { id } = await makeKey(licet, ada.accountId)
  time += minutes(2)
  const refreshed = await app.refresh(ada.refreshToken)
  assert.equal(refreshed.status, 200, refreshed.text)
  const token = refreshed.body.access_token
  for (const [path, json] of [
    ['/api/v1/keys', { name: 'x', scopes: ['data:read'] }],
    ['/api/v1/tokens', { name: 'x', scopes: ['data:read'] }],
    [`/api/v1/keys/${id}/rotate`, {}],
    [`/api/v1/keys/${id}/widen`, {}],
  ] as const) {
    const refused = await ada.call('POST', path, { token, json })
    assert.equal(refused.status, 401, refused.text)
    assert.equal(refused.body.code, 'insufficient_user_authentication')
    const told = String(refused.headers['www-authenticate'])
    assert.match(told, /error="insufficient_user_authentication"/)
    assert.match(told, /max_age="60"/)
    assert.match(told, /acr_values="/)
    assert.match(told, /resource_metadata="/)
    const denial = await ada.call('GET', `/api/v1/denials/${refused.body.error_ref}`, { token })
    assert.equal(denial.body.reason, 'step_up_required')
  }
  assert.equal((await ada.call('GET', '/api/v1/keys', { token })).status, 200)
  assert.equal((await ada.call('PATCH', `/api/v1/keys/${id}`, { token, json: { name: 'y' } })).status, 200)
  assert.equal((await ada.call('DELETE', `/api/v1/keys/${id}`, { token })).status, 204)
  ada = await newOwner(licet, { app })
})

test('usage counts calls by outcome and names the callers', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['api:read'] })
  const use = (path: string) =>
    callApi(licet.issuer, 'GET', path, { token: key, headers: { 'user-agent': 'nightly/2' } })
  for (let count = 0; count < 7; count += 1) assert.equal((await use('/api/v1/keys')).status, 200)
  for (let count = 0; count < 3; count += 1)
    assert.equal((await callApi(licet.issuer, 'DELETE', '/api/v1/keys/none', { token: key })).status, 403)
  const usage = await ada.call('GET', `/api/v1/keys/${id}/usage?by=hour`)
  assert.equal(usage.status, 200, usage.text)
  assert.deepEqual(usage.body.total, { ok: 7, denied: 3, limited: 0 })
  assert.equal(usage.body.buckets.length > 0, true)
  assert.equal(
    usage.body.callers.some((one: { user_agent: string }) => one.user_agent === 'nightly/2'),
    true,
  )
  const { last_used_ip: ip } = (await ada.call('GET', `/api/v1/keys/${id}`)).body
  assert.equal(ip, '127.0.0.1')
  const today = new Date(time).toISOString().slice(0, 10)
  const ofToday = await ada.call('GET', `/api/v1/keys/${id}/usage?from=${today}&to=${today}&by=hour`)
  assert.equal(ofToday.status, 200, ofToday.text)
  assert.equal(ofToday.body.buckets.length, 24, 'a day is the whole of it')
})

test('a key with the right makes children of itself, and of nothing else', async () => {
  const parent = await makeKey(licet, ada.accountId, { scopes: ['data:read', 'data:write'], mayCreateChildren: true })
  const stranger = await makeKey(licet, ada.accountId, { mayCreateChildren: true })
  const path = `/api/v1/keys/${parent.id}/children`
  const json = { name: 'Job 1', scopes: ['data:read'], expires_in: 600, call_budget: 2 }
  const made = await callApi(licet.issuer, 'POST', path, { token: parent.key, json })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.body.parent_id, parent.id)
  assert.equal(made.body.call_budget, 2)
  assert.equal((await callApi(licet.issuer, 'POST', path, { token: stranger.key, json })).status, 404)
  assert.equal((await ada.call('POST', path, { json })).status, 403)
  const wider = { ...json, scopes: ['data:read', 'llm:read'] }
  assert.equal((await callApi(licet.issuer, 'POST', path, { token: parent.key, json: wider })).status, 400)
  const me = () => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: made.body.key })
  assert.deepEqual([(await me()).status, (await me()).status], [200, 200])
  const spent = await me()
  assert.equal(spent.status, 429, spent.text)
  assert.equal((await ada.call('GET', `/api/v1/denials/${spent.body.error_ref}`)).body.reason, 'budget_spent')
})

test('whoever holds a key can kill it, and learns nothing about any other text', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['api:read'] })
  const report = (text: string) => callApi(licet.issuer, 'POST', '/api/v1/leaks', { json: { key: text } })
  const answers = [await report('licet_key_nothing'), await report(key), await report(key), await report('')]
  for (const { status, text } of answers) assert.deepEqual([status, text], [202, '{"received":true}'])
  time += 1000
  assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/keys', { token: key })).status, 401)
  assert.equal((await ada.call('GET', `/api/v1/keys/${id}`)).body.revoked_reason, 'leaked')
  assert.equal((await callApi(licet.issuer, 'POST', '/api/v1/leaks', { json: {} })).status, 400)
})

test('a key that was found is ended on a page, without an account; the page shows nothing of it and says the same for every text', async () => {
  const { id, key } = await makeKey(licet, ada.accountId)
  const finder = new Person(licet.issuer)
  const blank = await finder.open('/docs/leaked-keys')
  assert.equal(blank.status, 200)
  const other = await finder.submit(blank, { key: 'nothing of yours' }, '/leaked-keys')
  const sent = await finder.submit(blank, { key: ` ${key}\n` }, '/leaked-keys')
  assert.match(textOf(sent.body), /Received/)
  assert.equal(textOf(sent.body), textOf(other.body))
  assert.ok(!sent.body.includes(key))
  assert.equal((await ada.call('GET', `/api/v1/keys/${id}`)).body.revoked_reason, 'leaked')
  const forged = await finder
    .copy()
    .send('POST', '/docs/leaked-keys', [['key', key]], { 'sec-fetch-site': 'cross-site' })
  assert.equal(forged.status, 403)
})

test('the published regular expression finds every key and token of this server, and nothing that only looks alike', async () => {
  const { body } = await callApi(licet.issuer, 'GET', '/api/v1/key-pattern')
  assert.equal(body.report_url, `${licet.issuer}/api/v1/leaks`)
  assert.equal((await fetch(body.documentation_url)).status, 200)
  const made = [
    (await makeKey(licet, ada.accountId)).key,
    (await makeKey(licet, ada.accountId, { kind: 'personal_access_token' })).key,
  ]
  const text = `export KEY=${made[0]}; curl "${made[1]}", xlicet_key_${'0'.repeat(38)} licet_key_${'0'.repeat(37)} licet_key_${'0'.repeat(39)}`
  assert.deepEqual(text.match(new RegExp(body.pattern, 'g')), made)
})

test('attack: an address that tries keys by the thousand is told to wait; what cannot be a key costs nobody anything', async () => {
  const report = (text: string) => callApi(licet.issuer, 'POST', '/api/v1/leaks', { json: { key: text } })
  const guess = () => report(`licet_key_${'0'.repeat(38)}`)
  const statuses = []
  for (let tries = 0; tries < 130; tries += 1) statuses.push((await guess()).status)
  assert.equal(statuses[0], 202)
  assert.equal(statuses.at(-1), 429)
  assert.equal((await guess()).body.policy, 'leak_address')
  assert.equal((await report('no key at all')).status, 202)
  time += minutes(1)
})

test("a key's own quota is kept, and says so", async () => {
  const { key } = await makeKey(licet, ada.accountId, {
    scopes: ['api:read'],
    quota: { requests: 2, windowSeconds: 60 },
  })
  const me = () => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: key })
  assert.deepEqual([(await me()).status, (await me()).status], [200, 200])
  const refused = await me()
  assert.equal(refused.status, 429, refused.text)
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  assert.equal(refused.headers['x-ratelimit-limit'], '2')
  assert.equal(refused.headers['x-ratelimit-remaining'], '0')
  assert.equal((await ada.call('GET', `/api/v1/denials/${refused.body.error_ref}`)).body.reason, 'quota_exceeded')
})
