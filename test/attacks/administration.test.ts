/**
 * What administrators do over the API, and what everybody else gets: nobody without the scope, the role and a sign-in of their own, and a suspended app
 * is dead on both of two processes within a second.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner, TEN } from '../support/api.ts'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const ACTS = ['suspend', 'resume', 'verify', 'decline'] as const
const bodies = {
  suspend: { reason: 'abuse' },
  resume: {},
  verify: { updated_at: new Date(0).toISOString() },
  decline: { updated_at: new Date(0).toISOString(), reason: 'no' },
}

describe('who may administer', () => {
  let licet: Licet
  let admin: Owner
  before(async () => {
    licet = await startLicet()
    admin = await newOwner(licet, { scope: TEN, account: { role: 'administrator' } })
  })
  after(() => licet.close())

  const everywhere = async (token: string | undefined, clientId: string) => {
    const room = '/api/v1/admin/apps'
    const reads = [room, `${room}?queue=review`, `${room}/${clientId}`].map((path) =>
      callApi(licet.issuer, 'GET', path, { token }),
    )
    const acts = ACTS.map((act) =>
      callApi(licet.issuer, 'POST', `${room}/${clientId}/${act}`, { token, json: bodies[act] }),
    )
    return [...new Set((await Promise.all([...reads, ...acts])).map(({ status }) => status))]
  }

  test('attack: a member, a key of an administrator, a service, an app’s developer and nobody administer nothing', async () => {
    const member = await newOwner(licet)
    const { app } = await licet.core.apps.create(operator, { name: 'Mine', type: 'service', ownerId: member.accountId })
    assert.deepEqual(await everywhere(undefined, app.clientId), [401])
    assert.deepEqual(await everywhere(member.token, app.clientId), [403])
    const { key } = await makeKey(licet, admin.accountId, { scopes: ['api:read', 'api:write'] })
    assert.deepEqual(await everywhere(key, app.clientId), [403])
    const service = await registerApp(licet, { type: 'service', scopes: ['api:write'] })
    const machine = await service.post('/token', { grant_type: 'client_credentials' })
    assert.deepEqual(await everywhere(machine.body.access_token, app.clientId), [403])
    const { suspended, verified } = await licet.core.apps.getById(app.clientId)
    assert.deepEqual([suspended, verified], [undefined, false])
  })

  test('attack: a token of an administrator who is one no longer administers nothing', async () => {
    const former = await newOwner(licet, { scope: TEN, account: { role: 'administrator' } })
    assert.equal((await former.call('GET', '/api/v1/admin/apps')).status, 200)
    await licet.core.accounts.setRole(operator, former.accountId, 'member')
    // Whoever loses the role is signed out everywhere.
    assert.deepEqual(await everywhere(former.token, 'none'), [401])
  })

  test('attack: who signed up with the address of somebody else and was made administrator administers nothing before it is proven', async () => {
    const taken = await newOwner(licet, { scope: TEN, account: { role: 'administrator' } })
    const entry = await licet.core.store.find('account', taken.accountId)
    assert.ok(entry)
    await licet.core.store.update('account', taken.accountId, (record) => ({
      value: { ...(record as object), emailVerified: false },
    }))
    assert.deepEqual(await everywhere(taken.token, 'none'), [403])
    await licet.core.accounts.markEmailVerified(operator, taken.accountId)
    assert.equal((await taken.call('GET', '/api/v1/admin/apps')).status, 200)
  })

  test('attack: administration is refused from a network that is not named', async () => {
    const fenced = await startLicet({ file: { network: { admin_networks: ['10.0.0.0/8'] } } })
    const owner = await newOwner(fenced, { scope: TEN, account: { role: 'administrator' } })
    assert.equal((await owner.call('GET', '/api/v1/admin/apps')).status, 403)
    assert.equal((await owner.call('GET', '/api/v1/apps')).status, 200)
    await fenced.close()
  })

  test('an operator lists every app, reads, suspends and resumes one; the audit names who did it and why', async () => {
    const { accountId } = await newOwner(licet)
    const { app } = await licet.core.apps.create(operator, { name: 'Odd', type: 'service', ownerId: accountId })
    const path = `/api/v1/admin/apps/${app.clientId}`
    const suspended = await admin.call('POST', `${path}/suspend`, { json: { reason: 'reported' } })
    assert.deepEqual(
      [suspended.status, suspended.body.state, suspended.body.suspended_reason],
      [200, 'suspended', 'reported'],
    )
    assert.equal((await admin.call('GET', path)).body.state, 'suspended')
    const listed = await admin.call('GET', `/api/v1/admin/apps?owner=${accountId}`)
    assert.deepEqual(
      listed.body.items.map(({ client_id: id }: { client_id: string }) => id),
      [app.clientId],
    )
    const resumed = await admin.call('POST', `${path}/resume`)
    assert.deepEqual([resumed.status, resumed.body.state], [200, 'active'])
    const { items } = await licet.core.store.read(accountId)
    const record = items.find(({ record: { event } }) => event === 'app.suspended')?.record
    assert.deepEqual(record?.['details'], { reason: 'reported' })
    assert.equal((record?.['caller'] as { id: string }).id, admin.accountId)
    for (const [act, json] of Object.entries(bodies))
      assert.equal((await admin.call('POST', `/api/v1/admin/apps/none/${act}`, { json })).status, 404, act)
    assert.equal(
      (await admin.call('POST', '/api/v1/admin/apps/playground/suspend', { json: { reason: 'x' } })).status,
      403,
    )
    assert.equal((await admin.call('POST', `${path}/suspend`, { json: {} })).status, 400)
  })

  test('attack: a developer sets neither trust, nor publisher, nor queue; a domain of somebody else proves nothing', async () => {
    const dev = await newOwner(licet)
    const wanted = { name: 'Mine', type: 'spa', redirect_uris: ['https://mine.example/cb'] }
    for (const field of ['verified', 'first_party', 'publisher', 'review', 'owner', 'declined_reason', 'source'])
      assert.equal((await dev.call('POST', '/api/v1/apps', { json: { ...wanted, [field]: 'waiting' } })).status, 400)
    const made = await dev.call('POST', '/api/v1/apps', { json: { ...wanted, description: ' Takes\u202e notes ' } })
    assert.equal(made.body.description, 'Takes notes')
    const path = `/api/v1/apps/${made.body.client_id}`
    for (const json of [{ verified: true }, { publisher: { domain: 'a.example' } }, { review: null }, { testers: 1 }])
      assert.equal((await dev.call('PATCH', path, { json })).status, 400, JSON.stringify(json))
    const cleared = await dev.call('PATCH', path, { json: { description: null, client_uri: 'https://mine.example/' } })
    assert.deepEqual([cleared.body.description, cleared.body.client_uri], [null, 'https://mine.example/'])
    const stranger = await newOwner(licet)
    assert.equal((await stranger.call('GET', `${path}/publisher?domain=a.example`)).status, 404)
    assert.equal((await stranger.call('POST', `${path}/publisher`, { json: { domain: 'a.example' } })).status, 404)
    const { body } = await dev.call('GET', `${path}/publisher?domain=Mine.example`)
    assert.match(body.txt.value, /^licet-verify=/)
    assert.equal(body.file.url, 'https://mine.example/.well-known/licet-challenge.txt')
    for (const domain of ['127.0.0.1', 'localhost', '169.254.169.254'])
      assert.equal((await dev.call('POST', `${path}/publisher`, { json: { domain } })).body.errors[0].code, 'malformed')
  })
})

describe('two processes', { skip: skipWithout('redis-server') }, () => {
  let licet: TwoProcesses
  let app: AppClient
  before(async () => {
    licet = await startTwoProcesses()
    app = await registerApp(licet)
  })
  after(() => licet.stop())

  test('attack: a suspended app goes on with its tokens on the other process: sign-in, refresh, introspection and userinfo are dead within a second', async () => {
    const [here, there] = licet.origins
    const admin = await newOwner(licet, { scope: TEN, account: { role: 'administrator' } })
    const watcher = await registerApp(licet, { type: 'service', resourceServer: `${licet.issuer}/api/v1`, scopes: [] })
    const { person, email } = await newPerson(licet)
    const { body } = await app.redeem(await app.obtainCode(person, email))
    const states = async () => ({
      userinfo: (await app.userinfo(body.access_token, { origin: there })).status,
      active: (await watcher.introspect(body.access_token, { origin: there })).body.active,
      refresh: (await watcher.introspect(body.refresh_token, { origin: there })).body.active,
      own: (await app.introspect(body.refresh_token, { origin: there })).status,
    })
    assert.deepEqual(await states(), { userinfo: 200, active: true, refresh: false, own: 200 })
    const path = `/api/v1/admin/apps/${app.clientId}`
    const done = await admin.call('POST', `${path}/suspend`, { origin: here, json: { reason: 'abuse' } })
    assert.equal(done.status, 200)
    const deadline = performance.now() + 1100
    let now = await states()
    while (performance.now() < deadline && (now.userinfo === 200 || now.active || now.own === 200)) now = await states()
    assert.deepEqual(now, { userinfo: 401, active: false, refresh: false, own: 401 })
    assert.equal((await app.refresh(body.refresh_token, {}, { origin: there })).status, 401)
    await assert.rejects(app.obtainCode(person, email), /no code came back/)
    await admin.call('POST', `${path}/resume`, { origin: here })
    const alive = performance.now() + 1100
    while (performance.now() < alive && (await states()).own !== 200);
    assert.equal((await app.refresh(body.refresh_token, {}, { origin: there })).status, 200)
  })
})
