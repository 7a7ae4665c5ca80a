/**
 * What a refusal gives away, at the endpoints of OAuth and beyond the scopes of the API: each has a reference, behind which the owner of what was
 * refused, and nobody else, reads why. Causes at the API itself stand in `test/api/refusals.test.ts`.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type Answer, type AppClient, basic, nobody, registerApp } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { dpop, newKey } from '../support/proofs.ts'

let licet: Licet
let app: AppClient
let other: AppClient
let owned: AppClient
let server: AppClient
let ada: Owner
let eve: Owner
before(async () => {
  licet = await startLicet({ file: { rate_limits: { token_client: '40/1m' } } })
  app = await registerApp(licet, { scopes: ['api:read'], optionalScopes: ['data:write'] })
  ada = await newOwner(licet)
  eve = await newOwner(licet)
  other = await registerApp(licet)
  owned = await registerApp(licet, { type: 'service', ownerId: ada.accountId })
  server = await registerApp(licet, { type: 'service', scopes: [], resourceServer: `${licet.issuer}/api/v1` })
})
after(() => licet.close())

type Refused = Pick<Answer, 'status' | 'text' | 'headers'> & { readonly body: object }

const code = () => app.obtainCode(ada.person, ada.email, { scope: 'openid api:read' })
const tokens = async () => (await app.redeem(await code())).body
const api = (method: string, path: string, token: string, json?: unknown) =>
  callApi(licet.issuer, method, path, { token, ...(json === undefined ? {} : { json }) })
const machine = (client: AppClient) => client.post('/token', { grant_type: 'client_credentials' })
async function ended(wish: { type: 'service' | 'web' } = { type: 'service' }) {
  return registerApp(licet, { ...wish, ownerId: ada.accountId })
}

/** Everything that the app holds of Ada ends; what she reads with is of another app. */
async function disconnect() {
  const { items } = (await ada.call('GET', '/api/v1/grants')).body
  await ada.call(
    'DELETE',
    `/api/v1/grants/${items.find((one: { client_id: string }) => one.client_id === app.clientId).id}`,
  )
}

async function narrowKey() {
  return makeKey(licet, ada.accountId, { scopes: ['api:write', 'data:read'] })
}

/** What is done, how it is answered, and what its owner reads. */
const causes: readonly (readonly [string, number, () => Promise<Refused>])[] = [
  [
    'already_used',
    400,
    async () => {
      const pending = await code()
      assert.equal((await app.redeem(pending)).status, 200)
      return app.redeem(pending)
    },
  ],
  ['app_mismatch', 400, async () => other.redeem(await code())],
  [
    'redirect_uri_mismatch',
    400,
    async () => app.redeem(await code(), { redirect_uri: 'https://app.example.test/other' }),
  ],
  ['code_verifier_mismatch', 400, async () => app.redeem({ ...(await code()), verifier: 'x'.repeat(50) })],
  [
    'consent_ended',
    400,
    async () => {
      const { refresh_token: token } = await tokens()
      await disconnect()
      return app.refresh(token)
    },
  ],
  [
    'consent_ended',
    401,
    async () => {
      const { access_token: token } = await tokens()
      await disconnect()
      return app.userinfo(token)
    },
  ],
  [
    'revoked',
    401,
    async () => {
      const { access_token: token } = await tokens()
      await app.revoke(token)
      return app.userinfo(token)
    },
  ],
  [
    'scope_missing',
    403,
    async () => {
      const { body } = await app.redeem(await app.obtainCode(ada.person, ada.email, { scope: 'api:read' }))
      return app.userinfo(body.access_token)
    },
  ],
  [
    'dpop_mismatch',
    401,
    async () => {
      const key = await newKey()
      const headers = { dpop: await dpop(key, `${licet.issuer}/token`) }
      return app.userinfo((await app.redeem(await code(), {}, { headers })).body.access_token)
    },
  ],
  ['scope_missing', 400, async () => app.refresh((await tokens()).refresh_token, { scope: 'openid data:write' })],
  ['app_not_authenticated', 401, async () => machine(owned.with(basic(owned.clientId, 'licet_cs_wrong')))],
  ['app_not_authenticated', 401, async () => machine(owned.with(nobody))],
  [
    'app_suspended',
    401,
    async () => {
      const gone = await ended()
      await licet.core.apps.suspend(operator, gone.clientId, 'test')
      return machine(gone)
    },
  ],
  ['grant_type_not_allowed', 400, async () => owned.refresh('x')],
  ['scope_missing', 400, async () => owned.post('/token', { grant_type: 'client_credentials', scope: 'llm:read' })],
  [
    'audience_mismatch',
    400,
    async () => owned.post('/token', { grant_type: 'client_credentials', resource: 'https://x.example/' }),
  ],
  [
    'person_needed',
    403,
    async () => {
      const { key, id } = await narrowKey()
      return api('PATCH', `/api/v1/keys/${id}`, key, { name: 'x' })
    },
  ],
  ['key_needed', 403, async () => api('POST', `/api/v1/keys/${(await narrowKey()).id}/children`, ada.token, {})],
  [
    'children_not_allowed',
    403,
    async () => {
      const { key, id } = await narrowKey()
      return api('POST', `/api/v1/keys/${id}/children`, key, { name: 'x', scopes: ['data:read'] })
    },
  ],
  [
    'rate_limited',
    429,
    async () => {
      const busy = await ended()
      for (let count = 0; count < 40; count += 1) await machine(busy)
      return machine(busy)
    },
  ],
]

const refOf = ({ body }: Refused): string => String((body as { error_ref?: string }).error_ref)

test('each refusal has a reference; its owner reads the cause behind it, and nobody else learns that there is one', async () => {
  for (const [reason, status, provoke] of causes) {
    const answer = await provoke()
    assert.equal(answer.status, status, `${reason}: ${answer.text}`)
    assert.match(refOf(answer), /^\w{10}$/, `${reason}: ${answer.text}`)
    const path = `/api/v1/denials/${refOf(answer)}`
    const read = await ada.call('GET', path)
    assert.deepEqual([read.status, read.body.reason], [200, reason], read.text)
    assert.equal(read.body.ref, refOf(answer))
    const stranger = await eve.call('GET', path)
    const nothing = await eve.call('GET', '/api/v1/denials/0000000000')
    assert.deepEqual([stranger.status, stranger.body.detail], [404, nothing.body.detail])
  }
})

test('a refusal of what belongs to nobody looks the same and leads nowhere', async () => {
  const made = await tokens()
  const bad: Refused[] = [
    await app.refresh('no-token'),
    await app.redeem({ code: 'no-code', verifier: 'x'.repeat(50) }),
    await machine(owned.with(basic('no-such-app', 'secret'))),
    await app.userinfo('no-token'),
    await app.userinfo(`${made.access_token.slice(0, -4)}AAAA`),
    await server.with(basic(server.clientId, 'wrong')).introspect(made.access_token),
    await api('GET', '/api/v1/keys', 'no-token'),
    await api('GET', '/api/v1/keys', 'licet_key_x'),
    await callApi(licet.issuer, 'GET', '/api/v1/verify'),
    await callApi(licet.issuer, 'GET', '/api/v1/keys', { headers: { authorization: 'Basic eDp5' } }),
  ]
  for (const one of bad) {
    assert.ok([400, 401].includes(one.status), one.text)
    assert.match(refOf(one), /^\w{10}$/, one.text)
    assert.equal((await ada.call('GET', `/api/v1/denials/${refOf(one)}`)).status, 404)
  }
  const known = await machine(owned.with(basic(owned.clientId, 'licet_cs_wrong')))
  const shape = ({ body }: Refused) => JSON.stringify({ ...body, error_ref: '' })
  assert.equal(shape(known), shape(bad[2] as Refused), 'an app that exists and one that does not')
})

test('a request without any authentication of the app is a refused one, and so says its answer', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const path of ['/token', '/introspect', '/revoke', '/par', '/device_authorization']) {
    const body = 'grant_type=client_credentials&token=x'
    const answer = await callApi(licet.issuer, 'POST', path, { headers, body } as never)
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], path)
    assert.match(String(answer.headers['www-authenticate']), /^Basic realm="/)
  }
})

test('an inactive token is introspected as such and nothing more; the reference beside it leads its owner to the cause', async () => {
  const { id, key } = await makeKey(licet, ada.accountId)
  await ada.call('DELETE', `/api/v1/keys/${id}`)
  const { access_token: token } = await tokens()
  await app.revoke(token)
  for (const dead of [key, token]) {
    const { body, headers } = await server.introspect(dead)
    assert.deepEqual(body, { active: false })
    const read = await ada.call('GET', `/api/v1/denials/${headers['x-licet-error-ref']}`)
    assert.equal(read.body.reason, 'revoked', read.text)
    // Whoever may not learn about it leaves nothing with its owner.
    const foreign = await other.introspect(dead)
    assert.deepEqual(foreign.body, { active: false })
    assert.equal((await ada.call('GET', `/api/v1/denials/${foreign.headers['x-licet-error-ref']}`)).status, 404)
  }
})

test('a flood of wrong secrets, from one place and from many, fills nothing', async () => {
  const victim = await ended()
  const kept = async () =>
    (await licet.core.keys.denials.list(ada.accountId, { limit: 1000 })).items.filter(
      ({ credential }) => credential === `app:${victim.clientId}`,
    ).length
  const guess = () => machine(victim.with(basic(victim.clientId, `licet_cs_${Math.random()}`)))
  for (let batch = 0; batch < 10; batch += 1) await Promise.all(Array.from({ length: 20 }, guess))
  assert.ok((await kept()) <= 50, `${await kept()} of 200 are kept`)
})

test('with LICET_DEBUG answers name the reason, in development', async (t) => {
  const debugging = await startLicet({ env: { LICET_DEBUG: 'true' } })
  t.after(() => debugging.close())
  const eva = await newOwner(debugging)
  const { key } = await makeKey(debugging, eva.accountId, { allowedIps: ['203.0.113.0/24'] })
  const verified = await callApi(debugging.issuer, 'GET', '/api/v1/verify', { token: key })
  assert.equal(verified.body.reason, 'ip_not_allowed')
  const client = await registerApp(debugging)
  const pending = await client.obtainCode(eva.person, eva.email)
  const wrong = await client.redeem({ ...pending, verifier: 'y'.repeat(50) })
  assert.equal(wrong.body['reason'], 'code_verifier_mismatch')
  assert.match(String((await machine(client.with(basic(client.clientId, 'x')))).body['reason']), /secret/)
  const quiet = await callApi(licet.issuer, 'GET', '/api/v1/verify', { token: 'licet_key_x' })
  assert.equal(quiet.body.reason, undefined)
})
