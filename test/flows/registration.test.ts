/**
 * Apps that register themselves: nothing is stored until a person consents, ids cannot be forged, and the flow works as for any app.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

type Answer = Record<string, string> & { redirect_uris: string[]; grant_types: string[] }

async function send(
  method: string,
  path: string,
  body?: object,
  token?: string,
): Promise<{ status: number; body: Answer; headers: Headers }> {
  const answer = await fetch(licet.issuer + path, {
    method,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await answer.text()
  return { status: answer.status, body: text ? JSON.parse(text) : {}, headers: answer.headers }
}

const register = (metadata: object) => send('POST', '/register', metadata)
const pathOf = (app: Answer) => new URL(app['registration_client_uri'] ?? '').pathname

async function authorize(config: client.Configuration, email: string, redirectUri: string, scope?: string) {
  const verifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    state: 'x',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(scope ? { scope } : {}),
  })
  const back = await new Person(licet.issuer).authorize(url.href, { email })
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: 'x' })
}

const configOf = (app: Answer) =>
  client.discovery(new URL(licet.issuer), app['client_id'] ?? '', app['client_secret'], undefined, {
    execute: [client.allowInsecureRequests],
  })

test('a client registers, a person consents, and only then it is stored; it refreshes without asking for offline_access', async () => {
  const redirectUri = 'http://127.0.0.1:33418/callback'
  const registered = await register({
    client_name: 'Editor',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  })
  assert.equal(registered.status, 201)
  assert.equal(registered.body['application_type'], 'native')
  assert.equal(await licet.core.store.find('app', registered.body['client_id'] ?? ''), undefined)
  const account = await newAccount(licet.core)
  const tokens = await authorize(
    await configOf(registered.body),
    account.email,
    'http://127.0.0.1:50000/callback',
    'mcp:read',
  )
  assert.equal(decodeJwt(tokens.access_token)['scope'], 'mcp:read')
  assert.ok(tokens.refresh_token)
  assert.ok(await licet.core.store.find('app', registered.body['client_id'] ?? ''))
})

test('DC1: five hundred anonymous registrations leave the number of stored things unchanged', async () => {
  const count = async () => (await licet.core.store.list('app', { limit: 1000 })).items.length
  const before = await count()
  for (let round = 0; round < 500; round++) {
    assert.equal((await register({ redirect_uris: [`https://app-${round}.example.test/cb`] })).status, 201)
  }
  assert.equal(await count(), before)
})

test('a confidential client gets a secret that works, once told and never again', async () => {
  const redirectUri = 'https://web.example.test/cb'
  const { body } = await register({ redirect_uris: [redirectUri], client_name: 'Web' })
  assert.match(body['client_secret'] ?? '', /^licet_cs_/)
  const account = await newAccount(licet.core)
  const tokens = await authorize(await configOf(body), account.email, redirectUri)
  assert.equal(decodeJwt(tokens.access_token)['scope'], 'api:read')
  const read = await send('GET', pathOf(body), undefined, body['registration_access_token'])
  assert.equal(read.status, 200)
  assert.equal(read.body['client_secret'], undefined)
})

test('an id that was altered is invalid_client at the token endpoint and a page at authorize', async () => {
  const { body } = await register({ redirect_uris: ['https://a.example.test/cb'], token_endpoint_auth_method: 'none' })
  const id = body['client_id'] ?? ''
  const bent = id.slice(0, -4) + (id.endsWith('AAAA') ? 'BBBB' : 'AAAA')
  const token = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: bent,
      code: 'x',
      redirect_uri: 'https://a.example.test/cb',
      code_verifier: 'x'.repeat(43),
    }),
  })
  assert.equal(token.status, 401)
  assert.equal(((await token.json()) as Answer)['error'], 'invalid_client')
  const page = await new Person(licet.issuer).send(
    'GET',
    `/authorize?client_id=${bent}&redirect_uri=https://a.example.test/cb&response_type=code`,
  )
  assert.equal(page.status, 400)
  assert.equal(page.headers.get('location'), null)
})

test('DC9: management needs the very token of the id; PUT is 403 and DELETE 405 until somebody has consented', async () => {
  const redirectUri = 'https://managed.example.test/cb'
  const one = (await register({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' })).body
  const other = (await register({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' })).body
  assert.equal((await send('GET', pathOf(one), undefined, other['registration_access_token'])).status, 401)
  const token = one['registration_access_token']
  assert.equal((await send('PUT', pathOf(one), { redirect_uris: [redirectUri] }, token)).status, 403)
  const early = await send('DELETE', pathOf(one), undefined, token)
  assert.deepEqual([early.status, early.headers.get('allow')], [405, 'GET, HEAD, OPTIONS'])
  // RFC 7592 §3: every answer of the address tells both.
  const read = (await send('GET', pathOf(one), undefined, token)).body
  assert.deepEqual([read['registration_access_token'], pathOf(read)], [token, pathOf(one)])
  const account = await newAccount(licet.core)
  await authorize(await configOf(one), account.email, redirectUri)
  const changed = await send('PUT', pathOf(one), { redirect_uris: [redirectUri], client_name: 'Renamed' }, token)
  assert.equal(changed.status, 200, JSON.stringify(changed.body))
  assert.equal(changed.body['client_name'], 'Renamed')
  assert.equal(changed.body['registration_access_token'], token)
  const misplaced = { redirect_uris: [redirectUri], client_id: other['client_id'] }
  assert.equal((await send('PUT', pathOf(one), misplaced, token)).body['error'], 'invalid_client_metadata')
  assert.equal((await send('DELETE', pathOf(one), undefined, token)).status, 204)
  assert.equal((await send('GET', pathOf(one), undefined, token)).status, 401)
})

test('DC7: privileged fields are ignored: scopes, grants, a chosen id, a first-party flag', async () => {
  const { body } = await register({
    redirect_uris: ['https://p.example.test/cb'],
    client_id: 'console',
    scope: 'api:admin',
    first_party: true,
    grant_types: ['client_credentials', 'implicit'],
    response_types: ['token'],
  })
  assert.notEqual(body['client_id'], 'console')
  assert.equal(body['scope'], undefined)
  assert.deepEqual(body.grant_types, ['authorization_code', 'refresh_token'])
})

test('DC6 DC8 RU4: hostile names, addresses and redirect URIs are cleaned or refused by their RFC 7591 names', async () => {
  const named = await register({
    redirect_uris: ['https://n.example.test/cb'],
    client_name: `\u202eelgooG <b>${'x'.repeat(500)}`,
    logo_uri: 'http://127.0.0.1/logo',
    client_uri: 'javascript:alert(1)',
  })
  assert.ok((named.body['client_name'] ?? '').length <= 64)
  assert.ok(!(named.body['client_name'] ?? '').includes('\u202e'))
  assert.equal(named.body['client_uri'], undefined)
  for (const uri of [
    'http://evil.example/cb',
    'https://u:p@evil.example/cb',
    'ms-msdt:x',
    'javascript:alert(1)',
    'https://e.example/#f',
  ]) {
    const refused = await register({ redirect_uris: [uri] })
    assert.equal(refused.status, 400, uri)
    assert.equal(refused.body['error'], 'invalid_redirect_uri', uri)
  }
  const many = await register({
    redirect_uris: Array.from({ length: 1000 }, (_, index) => `https://m.example.test/${index}`),
  })
  assert.equal(many.body['error'], 'invalid_redirect_uri')
  const long = await register({
    redirect_uris: [`https://l.example.test/${'x'.repeat(1900)}`],
    client_uri: `https://c.example.test/${'y'.repeat(400)}`,
  })
  assert.equal(long.body['error'], 'invalid_client_metadata')
})

test('registration answers every origin and its preflight, without credentials (mcp.md F1)', async () => {
  const preflight = await fetch(`${licet.issuer}/register`, {
    method: 'OPTIONS',
    headers: { origin: 'https://inspector.example', 'access-control-request-method': 'POST' },
  })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
  assert.equal(preflight.headers.get('access-control-allow-credentials'), null)
})

test('a step-up of a self-registered client adds to what it had (mcp.md F13, F14)', async () => {
  const redirectUri = 'https://step.example.test/cb'
  const { body } = await register({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' })
  const config = await configOf(body)
  const account = await newAccount(licet.core)
  await authorize(config, account.email, redirectUri, 'mcp:read')
  const tokens = await authorize(config, account.email, redirectUri, 'mcp:write')
  assert.deepEqual(String(decodeJwt(tokens.access_token)['scope']).split(' ').sort(), ['mcp:read', 'mcp:write'])
})

test('RU5: a mistake in a self-registered client sends nobody to its address before a person acted', async () => {
  const { body } = await register({
    redirect_uris: ['https://lure.example.test/cb'],
    token_endpoint_auth_method: 'none',
  })
  const query = new URLSearchParams({
    client_id: body['client_id'] ?? '',
    redirect_uri: 'https://lure.example.test/cb',
    response_type: 'code',
    scope: 'api:admin',
    state: 's',
  })
  const visit = await new Person(licet.issuer).send('GET', `/authorize?${query}`)
  assert.equal(visit.status, 400)
  assert.equal(visit.headers.get('location'), null)
})

test('an app that registers itself as an agent says in its tokens that it acts', async () => {
  const redirectUri = 'http://127.0.0.1:33418/callback'
  const metadata = { client_name: 'Scout', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }
  for (const agent of [true, 'true', undefined]) {
    const { body: app } = await register({ ...metadata, agent })
    const { email } = await newAccount(licet.core)
    const tokens = await authorize(await configOf(app), email, redirectUri, 'data:read')
    const expected = agent === true ? { sub: app['client_id'] } : undefined
    assert.deepEqual(decodeJwt(tokens.access_token)['act'], expected)
  }
})
