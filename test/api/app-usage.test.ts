/**
 * Apps and their secrets over HTTP: what is counted of an app, who is shown to use which of its secrets, and how an old one says that it ends.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type AppClient, appClient, basic } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'

let licet: Licet
let ada: Owner

before(async () => {
  licet = await startLicet({ file: { rate_limits: { token_client: '8/1m' } } })
  ada = await newOwner(licet)
})
after(() => licet.close())

async function newApp(): Promise<AppClient & { secret: string }> {
  const json = { name: 'Job', type: 'service', scopes: ['data:read'] }
  const { body } = await ada.call('POST', '/api/v1/apps', { json })
  return clientOf(body.client_id, body.client_secret)
}

function clientOf(clientId: string, secret: string) {
  const client = appClient({ issuer: licet.issuer, clientId, secret, proof: basic(clientId, secret) })
  return { ...client, secret }
}

const obtain = (client: AppClient, userAgent = 'job/1') =>
  client.post('/token', { grant_type: 'client_credentials' }, { headers: { 'user-agent': userAgent } })

test('an app’s calls are counted by outcome, its tokens’ too; whoever does not know its secret counts for nothing', async () => {
  const client = await newApp()
  const { body } = await obtain(client)
  const use = (path: string) => callApi(licet.issuer, 'GET', path, { token: body.access_token })
  assert.equal((await use('/api/v1/accounts/me')).status, 200)
  assert.equal((await use('/api/v1/keys')).status, 403)
  assert.equal(
    (await client.post('/token', { grant_type: 'client_credentials', resource: 'https://nowhere.example/' })).status,
    400,
  )
  const guessing = clientOf(client.clientId, `licet_cs_${'0'.repeat(38)}`)
  for (let guess = 0; guess < 3; guess += 1) assert.equal((await obtain(guessing, 'thief/1')).status, 401)
  for (let call = 0; call < 6; call += 1) await obtain(client)
  const limited = await obtain(client)
  assert.equal(limited.status, 429, limited.text)

  const usage = await ada.call('GET', `/api/v1/apps/${client.clientId}/usage?by=hour`)
  assert.equal(usage.status, 200, usage.text)
  assert.deepEqual(usage.body.total, { ok: 8, denied: 2, limited: 1 })
  const callers = usage.body.callers.map((one: Record<string, unknown>) => [one['user_agent'], one['secret']])
  assert.deepEqual(callers, [['job/1', 'current']])
  assert.ok(usage.body.callers[0].calls_per_hour >= 8)
  const stranger = await newOwner(licet)
  assert.equal((await stranger.call('GET', `/api/v1/apps/${client.clientId}/usage`)).status, 404, 'AK7')
})

test('the old secret of an app works, says since when and until when, and is shown with who uses it, until it is ended', async () => {
  const client = await newApp()
  const path = `/api/v1/apps/${client.clientId}`
  assert.equal((await obtain(client)).headers['deprecation'], undefined)
  const rotated = await ada.call('POST', `${path}/rotate-secret`, { json: { quiet_seconds: 7200 } })
  assert.equal(rotated.status, 201, rotated.text)
  const fresh = clientOf(client.clientId, rotated.body.client_secret)
  const late = await obtain(client, 'late/1')
  assert.equal(late.status, 200, late.text)
  assert.match(String(late.headers['deprecation']), /^@\d+$/)
  const week = Date.parse(String(late.headers['sunset'])) - Date.now()
  assert.ok(week > 6.9 * 86_400_000 && week <= 7 * 86_400_000, String(late.headers['sunset']))
  const now = await obtain(fresh, 'fresh/1')
  assert.deepEqual([now.status, now.headers['deprecation'], now.headers['sunset']], [200, undefined, undefined])
  const { callers } = (await ada.call('GET', `${path}/usage`)).body
  const shown = callers.map((one: Record<string, unknown>) => `${one['user_agent']} ${one['secret']} ${one['moving']}`)
  assert.deepEqual(shown.sort(), ['fresh/1 current null', 'job/1 old unseen', 'late/1 old still'])
  assert.equal((await ada.call('DELETE', `${path}/old-secret`)).status, 204)
  assert.deepEqual([(await obtain(client)).status, (await obtain(fresh)).status], [401, 200])
  const wishes = [{ overlap_seconds: -1 }, { quiet_seconds: 60 }, { quiet_seconds: 7200, overlap_seconds: 60 }]
  for (const json of wishes) assert.equal((await ada.call('POST', `${path}/rotate-secret`, { json })).status, 400)
})

test('the old secret of a key says that it ends when it is exchanged, too', async () => {
  const client = await newApp()
  const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
  const exchange = () =>
    client.post('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: key,
      subject_token_type: 'urn:licet:token-type:api_key',
    })
  assert.equal((await exchange()).headers['sunset'], undefined)
  await ada.call('POST', `/api/v1/keys/${id}/rotate`, { json: { overlap_seconds: 3600 } })
  const late = await exchange()
  assert.equal(late.status, 200, late.text)
  assert.ok(late.headers['deprecation'] && late.headers['sunset'])
})
