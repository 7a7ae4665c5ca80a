/**
 * What an account sees and ends of its own over the API: apps it has registered, connected apps, sessions, activity.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner, ownApp } from '../support/api.ts'
import { type AppClient, appClient, basic, registerApp } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
let app: AppClient
let ada: Owner
let time = Date.now()

before(async () => {
  licet = await startLicet({ now: () => time, file: { lifetimes: { step_up: '1m' } } })
  app = await ownApp(licet)
  ada = await newOwner(licet, { app })
})
after(() => licet.close())

const NOTES = {
  name: 'Notes',
  type: 'web',
  redirect_uris: ['https://notes.example/callback'],
  scopes: ['data:read'],
  optional_scopes: ['data:write'],
}

test('an app is registered, its secret shown once and usable at once', async () => {
  const made = await ada.call('POST', '/api/v1/apps', { json: NOTES })
  assert.equal(made.status, 201, made.text)
  const { client_id: id, client_secret: secret, ...rest } = made.body
  assert.match(secret, /^licet_cs_[0-9A-Za-z]{38}$/)
  assert.deepEqual(
    [rest.name, rest.type, rest.redirect_uris, rest.scopes, rest.optional_scopes, rest.owner, rest.first_party],
    ['Notes', 'web', NOTES.redirect_uris, ['data:read'], ['data:write'], ada.accountId, false],
  )
  const shown = await ada.call('GET', `/api/v1/apps/${id}`)
  assert.deepEqual([shown.status, shown.text.includes(secret)], [200, false])
  const list = await ada.call('GET', '/api/v1/apps')
  assert.deepEqual(
    list.body.items.map(({ client_id }: { client_id: string }) => client_id),
    [id],
  )
  const client = appClient({ issuer: licet.issuer, clientId: id, secret, proof: basic(id, secret) })
  assert.deepEqual((await client.introspect('nothing')).body, { active: false })

  const changed = await ada.call('PATCH', `/api/v1/apps/${id}`, { json: { name: 'Better notes' } })
  assert.deepEqual([changed.status, changed.body.name], [200, 'Better notes'])

  const rotated = await ada.call('POST', `/api/v1/apps/${id}/rotate-secret`, { json: { overlap_seconds: 0 } })
  assert.equal(rotated.status, 201, rotated.text)
  assert.equal(rotated.body.client_id, id)
  assert.notEqual(rotated.body.client_secret, secret)
  assert.equal((await client.introspect('nothing')).status, 401)
  const fresh = client.with(basic(id, rotated.body.client_secret))
  assert.equal((await fresh.introspect('nothing')).status, 200)

  assert.equal((await ada.call('DELETE', `/api/v1/apps/${id}`)).status, 204)
  assert.equal((await ada.call('GET', `/api/v1/apps/${id}`)).status, 404)
  assert.equal((await fresh.introspect('nothing')).status, 401)
})

test('what is wrong with an app is named field by field', async () => {
  const wrong = { ...NOTES, redirect_uris: ['http://notes.example/x', 'https://ok.example/'], scopes: ['api:admin'] }
  const { status, body } = await ada.call('POST', '/api/v1/apps', { json: wrong })
  assert.equal(status, 400)
  const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()
  assert.deepEqual(pointers, ['/redirect_uris/0', '/scopes/0'])
})

test('registering and new secrets need a recent sign-in; a key changes no app', async () => {
  const owner = await newOwner(licet, { app })
  const { client_id: id } = (await owner.call('POST', '/api/v1/apps', { json: NOTES })).body
  const { key } = await makeKey(licet, owner.accountId, { scopes: ['api:read', 'api:write'] })
  const byKey = (method: string, path: string, json?: object) =>
    callApi(licet.issuer, method, path, { token: key, ...(json ? { json } : {}) })
  assert.equal((await byKey('GET', '/api/v1/apps')).status, 200)
  assert.equal((await byKey('POST', '/api/v1/apps', NOTES)).status, 401)
  assert.equal((await byKey('POST', `/api/v1/apps/${id}/rotate-secret`, {})).status, 401)
  assert.equal((await byKey('PATCH', `/api/v1/apps/${id}`, { redirect_uris: ['https://evil.example/'] })).status, 403)
  assert.equal((await byKey('DELETE', `/api/v1/apps/${id}`)).status, 403)
  time += 120_000
  const stale = await owner.call('POST', '/api/v1/apps', { json: NOTES })
  assert.deepEqual([stale.status, stale.body.code], [401, 'insufficient_user_authentication'])
  assert.equal((await owner.call('PATCH', `/api/v1/apps/${id}`, { json: { name: 'Later' } })).status, 200)
  ada = await newOwner(licet, { app })
})

test('an account that has not confirmed its address registers no apps and makes no keys', async () => {
  const unverified = await newOwner(licet, { app, account: { emailVerified: false } })
  assert.equal((await unverified.call('POST', '/api/v1/apps', { json: NOTES })).status, 403)
  const key = { name: 'x', scopes: ['data:read'] }
  assert.equal((await unverified.call('POST', '/api/v1/keys', { json: key })).status, 403)
})

test('connected apps are listed, shrunk and ended, and never widened', async () => {
  const notes = await registerApp(licet, { scopes: ['data:read'], optionalScopes: ['data:write', 'llm:read'] })
  const asked = { scope: 'openid data:read data:write llm:read' }
  const consent = await ada.person.open(
    `${licet.issuer}/authorize?${new URLSearchParams({
      client_id: notes.clientId,
      response_type: 'code',
      redirect_uri: notes.redirectUri,
      scope: asked.scope,
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    })}`,
  )
  assert.match(consent.body, /name="decision"/)
  await ada.person.submit(consent, { decision: 'allow', scope: ['data:write', 'llm:read'] }, '/consent')
  const tokens = (await notes.redeem(await notes.obtainCode(ada.person, ada.email, asked))).body
  const list = (await ada.call('GET', '/api/v1/grants')).body
  const grant = list.items.find((one: { client_id: string }) => one.client_id === notes.clientId)
  assert.deepEqual([grant.name, grant.scopes.toSorted()], ['Notes', ['data:read', 'data:write', 'llm:read']])
  const path = `/api/v1/grants/${grant.id}`
  assert.equal((await ada.call('GET', path)).body.id, grant.id)
  const smaller = await ada.call('PATCH', path, { json: { scopes: ['data:read'] } })
  assert.deepEqual([smaller.status, smaller.body.scopes], [200, ['data:read']])
  for (const json of [{ scopes: ['data:read', 'data:write'] }, { scopes: ['mcp:read'] }, { duration: 'x' }])
    assert.equal((await ada.call('PATCH', path, { json })).status, 400, JSON.stringify(json))
  const refreshed = await notes.refresh(tokens.refresh_token)
  assert.equal(refreshed.status, 200, refreshed.text)
  assert.deepEqual(String(refreshed.body['scope']).split(' ').sort(), ['data:read', 'openid'])
  const earlier = new Date(time + 60_000).toISOString()
  assert.equal((await ada.call('PATCH', path, { json: { expires_at: earlier } })).body.expires_at, earlier)
  const later = new Date(time + 600_000).toISOString()
  assert.equal((await ada.call('PATCH', path, { json: { expires_at: later } })).status, 400)
  assert.equal((await ada.call('DELETE', path)).status, 204)
  assert.equal((await ada.call('GET', path)).status, 404)
  assert.equal((await notes.refresh(refreshed.body.refresh_token)).status, 400)
  assert.equal((await notes.introspect(refreshed.body.access_token)).body.active, false)
})

test('sessions are listed with the own one marked, and ending one ends what was obtained in it', async () => {
  const owner = await newOwner(licet, { app })
  const { body } = await owner.call('GET', '/api/v1/sessions')
  assert.equal(body.items.length, 1)
  const [session] = body.items
  assert.equal(session.current, true)
  for (const field of ['id', 'created_at', 'last_active_at', 'signed_in_at', 'expires_at', 'ip', 'user_agent'])
    assert.ok(field in session, field)
  assert.deepEqual((await owner.call('GET', `/api/v1/sessions/${session.id}`)).body, session)
  const stranger = await newOwner(licet, { app })
  assert.equal((await stranger.call('GET', `/api/v1/sessions/${session.id}`)).status, 404)
  assert.equal((await owner.call('DELETE', `/api/v1/sessions/${session.id}`)).status, 204)
  assert.equal((await owner.call('GET', '/api/v1/sessions')).status, 401)
  assert.equal((await app.refresh(owner.refreshToken)).status, 400)
})

test('all other sessions are ended, then everything, with what was obtained in them', async () => {
  const [owner, other] = [await newOwner(licet, { app }), new Person(licet.issuer)]
  const elsewhere = await app.redeem(await app.obtainCode(other, owner.email))
  const list = async () => (await owner.call('GET', '/api/v1/sessions')).body.items
  assert.deepEqual(
    (await list()).map(({ apps }: { apps: string[] }) => apps),
    [[app.clientId], [app.clientId]],
  )
  assert.equal((await owner.call('DELETE', '/api/v1/sessions')).status, 204)
  assert.equal((await list()).length, 1)
  assert.equal((await app.refresh(elsewhere.body.refresh_token)).status, 400)
  assert.equal((await owner.call('DELETE', '/api/v1/sessions?everywhere=true')).status, 204)
  assert.equal((await owner.call('GET', '/api/v1/sessions')).status, 401)
  assert.equal((await app.refresh(owner.refreshToken)).status, 400)
  const { items } = await licet.core.store.read(owner.accountId, { limit: 10 })
  const events = items.map(({ record }) => record['event'])
  for (const event of ['session.others_ended', 'account.signed_out_everywhere'])
    assert.ok(events.includes(event), event)
})

test('activity tells what was done, newest first, page by page', async () => {
  const owner = await newOwner(licet, { app })
  const made = await owner.call('POST', '/api/v1/keys', { json: { name: 'Seen', scopes: ['data:read'] } })
  await owner.call('DELETE', `/api/v1/keys/${made.body.id}`)
  const first = (await owner.call('GET', '/api/v1/activity?limit=1')).body
  assert.deepEqual(
    [first.items[0].event, first.items[0].outcome, first.items[0].subject],
    ['key.revoked', 'done', made.body.id],
  )
  const rest = (await owner.call('GET', `/api/v1/activity?cursor=${first.next_cursor}`)).body
  assert.equal(rest.items[0].event, 'key.created')
  assert.ok(rest.items.some(({ event }: { event: string }) => event.startsWith('sign_in')))
  assert.equal(JSON.stringify([first, rest]).includes(made.body.key), false)
})

test('attack: what a stolen key has done does not look as if its owner had done it', async () => {
  const owner = await newOwner(licet, { app })
  const [stolen, other] = [
    await makeKey(licet, owner.accountId, { scopes: ['api:write'] }),
    await makeKey(licet, owner.accountId),
  ]
  assert.equal((await owner.call('DELETE', `/api/v1/keys/${other.id}`, { token: stolen.key })).status, 204)
  const { items } = (await owner.call('GET', '/api/v1/activity?limit=1')).body
  assert.deepEqual(
    [items[0].event, items[0].subject, items[0].actor],
    ['key.revoked', other.id, `api_key:${stolen.id}`],
  )
})

test('a denial is read by its owner only', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  const refused = await callApi(licet.issuer, 'GET', '/api/v1/keys', { token: key, headers: { 'user-agent': 'job/1' } })
  assert.equal(refused.status, 403)
  const path = `/api/v1/denials/${refused.body.error_ref}`
  const { body } = await ada.call('GET', path)
  assert.deepEqual(Object.keys(body).sort(), ['at', 'credential', 'ip', 'reason', 'ref', 'request', 'user_agent'])
  assert.deepEqual([body.reason, body.request, body.user_agent], ['scope_missing', 'GET /api/v1/keys', 'job/1'])
  const other = await newOwner(licet, { app })
  assert.equal((await other.call('GET', path)).status, 404)
  assert.equal((await callApi(licet.issuer, 'GET', path)).status, 401)
})

test('activity is filtered by kind and outcome, and comes as one file of lines', async () => {
  const owner = await newOwner(licet, { app })
  await owner.call('PATCH', '/api/v1/accounts/me', { json: { name: 'Ada L.' } })
  const kinds = async (query: string): Promise<string[]> =>
    (await owner.call('GET', `/api/v1/activity?${query}`)).body.items.map(({ event }: { event: string }) => event)
  assert.deepEqual(await kinds('kind=sign_in'), ['sign_in.done'])
  assert.deepEqual(await kinds('kind=account'), ['account.changed', 'account.created'])
  assert.deepEqual(await kinds('kind=account&outcome=refused'), [])
  assert.equal((await owner.call('GET', '/api/v1/activity?kind=everything')).status, 400)
  const file = await owner.call('GET', '/api/v1/activity.ndjson?kind=account')
  assert.match(String(file.headers['content-type']), /^application\/x-ndjson/)
  const lines = file.text.trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).event),
    ['account.changed', 'account.created'],
  )
})
