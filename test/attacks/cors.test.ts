/**
 * Attacks from scripts of other sites, forged hosts and caches, against the whole server (threats.md HD1, HD4, HD7).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AppClient, basic, form, newPerson, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { type Reply, sendOnWire } from '../support/wire.ts'

const ORIGIN = 'https://app.example.test'
let licet: Licet
let spa: AppClient
let web: AppClient
before(async () => {
  licet = await startLicet({ file: { rate_limits: { token_client: '10000/1m' } } })
  spa = await registerApp(licet, { type: 'spa' })
  web = await registerApp(licet)
})
after(() => licet.close())

const hostile = [
  'https://evil.example',
  'null',
  'https://app.example.test.evil.example',
  'https://evilapp.example.test',
  'https://sub.app.example.test',
  'http://app.example.test',
  'https://app.example.test:8443',
  'https://APP.example.test',
  'https://app.example.test/',
  'https://app.example.test, https://evil.example',
  'app.example.test',
  'https://evil.example#https://app.example.test',
  '*',
]

const allowed = ({ headers }: Reply) => headers['access-control-allow-origin']

function assertNoCredentials(reply: Reply, what: string): void {
  assert.equal(reply.headers['access-control-allow-credentials'], undefined, what)
}

async function ask(
  path: string,
  {
    origin,
    method = 'POST',
    body,
    headers = {},
  }: { origin?: string; method?: string; body?: string; headers?: Record<string, string> },
) {
  return sendOnWire(licet.issuer, method, path, {
    headers: {
      ...(origin ? { origin } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
}

async function tokensOf(client: AppClient) {
  const { person, email } = await newPerson(licet)
  const back = await person.authorize(authorizeUrl(client), { email })
  return (await client.redeem({ code: back.searchParams.get('code') ?? '', verifier: VERIFIER })).body
}

test('HD4: a script reads answers for an app from the origins of its redirect URIs and from nowhere else', async () => {
  const tokens = await tokensOf(spa)
  const id = { client_id: spa.clientId }
  const calls: [string, string, string | undefined, Record<string, string>][] = [
    ['/token', 'POST', form({ ...id, grant_type: 'authorization_code', code: 'x' }), {}],
    ['/token', 'POST', form({ ...id, grant_type: 'refresh_token', refresh_token: 'x' }), {}],
    ['/revoke', 'POST', form({ ...id, token: 'x' }), {}],
    ['/par', 'POST', form({ ...id, response_type: 'code' }), {}],
    ['/userinfo', 'GET', undefined, { authorization: `Bearer ${tokens.access_token}` }],
  ]
  for (const [path, method, body, headers] of calls) {
    const own = await ask(path, { origin: ORIGIN, method, ...(body ? { body } : {}), headers })
    assert.equal(allowed(own), ORIGIN, path)
    assertNoCredentials(own, path)
    assert.match(String(own.headers.vary), /origin/i)
    for (const origin of hostile) {
      const answer = await ask(path, { origin, method, ...(body ? { body } : {}), headers })
      assert.equal(allowed(answer), undefined, `${path} ${origin} ${answer.status}`)
      assertNoCredentials(answer, path)
      assert.doesNotMatch(answer.text, /access_token|email"|"sub"/, `${path} ${origin}`)
    }
  }
})

test('HD4: a foreign origin redeems and refreshes nothing, and uses nothing up', async () => {
  const { person, email } = await newPerson(licet)
  const pending = await spa.obtainCode(person, email)
  const foreign = await spa.redeem(pending, {}, { headers: { origin: 'https://evil.example' } })
  assert.equal(foreign.status, 400)
  const tokens = await spa.redeem(pending, {}, { headers: { origin: ORIGIN } })
  assert.equal(tokens.status, 200, tokens.text)
  const stolen = await spa.refresh(tokens.body.refresh_token, {}, { headers: { origin: 'https://evil.example' } })
  assert.equal(stolen.status, 400)
  assert.equal((await spa.refresh(tokens.body.refresh_token)).status, 200)
})

test('HD4: a script that is let in may read how long to wait and why it was refused', async () => {
  const answer = await ask('/token', {
    origin: ORIGIN,
    body: form({ client_id: spa.clientId, grant_type: 'refresh_token', refresh_token: 'x' }),
  })
  const exposed = String(answer.headers['access-control-expose-headers']).toLowerCase()
  for (const name of [
    'www-authenticate',
    'ratelimit',
    'ratelimit-policy',
    'x-ratelimit-limit',
    'x-ratelimit-remaining',
    'x-ratelimit-reset',
    'retry-after',
    'dpop-nonce',
  ])
    assert.ok(exposed.split(/,\s*/).includes(name), `${name} in ${exposed}`)
})

test('HD4: a preflight allows methods and headers, never credentials, and says nothing of any app', async () => {
  for (const path of ['/token', '/revoke', '/userinfo', '/par', '/introspect', '/device_authorization'])
    for (const origin of [ORIGIN, 'https://evil.example']) {
      const reply = await ask(path, {
        origin,
        method: 'OPTIONS',
        headers: { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, dpop' },
      })
      assert.equal(reply.status, 204, path)
      assertNoCredentials(reply, path)
      assert.match(String(reply.headers['access-control-allow-methods']), /POST/)
      assert.doesNotMatch(String(reply.headers['access-control-allow-methods']), /PUT|DELETE|\*/)
    }
})

test('HD4: pages and the API are open to no other origin; discovery and keys to every one, without credentials', async () => {
  for (const path of [
    '/',
    '/authorize',
    '/interaction/x',
    '/device',
    '/logout',
    '/settings',
    '/healthz',
    '/api/v1/accounts/me',
    '/api/v1/keys',
    '/playground',
    '/dev/mailbox.json',
    '/metrics',
  ])
    for (const method of ['GET', 'OPTIONS']) {
      const reply = await ask(path, { origin: ORIGIN, method, headers: { 'access-control-request-method': 'GET' } })
      assert.equal(allowed(reply), undefined, `${method} ${path}`)
      assertNoCredentials(reply, path)
    }
  for (const path of [
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server',
    '/.well-known/jwks.json',
  ])
    for (const origin of [ORIGIN, 'https://evil.example', 'null']) {
      const reply = await ask(path, { origin, method: 'GET' })
      assert.equal(allowed(reply), '*', path)
      assertNoCredentials(reply, path)
    }
})

test('HD4: the secret of a web app in the hands of a script of another site opens nothing', async () => {
  const { headers } = await basic(web.clientId, web.secret ?? '')()
  const answer = await ask('/introspect', {
    origin: 'https://evil.example',
    body: form({ token: 'x' }),
    headers: { ...headers },
  })
  assert.equal(allowed(answer), undefined)
})

test('HD1: no answer of the whole server carries a host that was not the issuer', async () => {
  const evil = 'evil.example'
  const paths = [
    '/.well-known/openid-configuration',
    '/.well-known/jwks.json',
    '/logout',
    '/device',
    '/',
    '/playground',
    new URL(authorizeUrl(spa)).pathname + new URL(authorizeUrl(spa)).search,
  ]
  for (const path of paths) {
    const direct = await sendOnWire(licet.issuer, 'GET', path, { headers: { host: evil } })
    assert.equal(direct.status, 421, path)
    const hints = {
      'x-forwarded-host': evil,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '203.0.113.9',
      forwarded: `host=${evil};proto=https`,
      'x-original-url': '/metrics',
      'x-rewrite-url': '/metrics',
      'x-forwarded-prefix': '/evil',
      'x-http-host-override': evil,
    }
    const hinted = await sendOnWire(licet.issuer, 'GET', path, { headers: hints })
    const whole = JSON.stringify(hinted.headers) + hinted.text
    assert.ok(!whole.includes(evil) && !whole.includes('/evil'), path)
    assert.ok(hinted.status < 400, `${path} ${hinted.status}`)
  }
  const device = await registerApp(licet, { type: 'device' })
  const codes = await device.post('/device_authorization', {}, { headers: { 'x-forwarded-host': evil } })
  assert.ok(String(codes.body['verification_uri']).startsWith(`${licet.issuer}/device`))
  const absolute = await sendOnWire(licet.issuer, 'GET', `http://${evil}/logout`)
  assert.equal(absolute.status, 421)
})

test('HD7: only discovery and keys may be kept by caches, and they are the same for everybody who asks', async () => {
  const ways = ['', '?cb=1', '?x=%3Cscript%3E', '?host=evil.example']
  for (const path of ['/.well-known/openid-configuration', '/.well-known/jwks.json']) {
    const bodies = new Set<string>()
    for (const way of ways)
      for (const accept of ['application/json', 'text/html', '*/*', 'x/y']) {
        const reply = await sendOnWire(licet.issuer, 'GET', path + way, {
          headers: { accept, 'accept-language': 'de', cookie: '__Host-licet_locale=fr' },
        })
        assert.match(String(reply.headers['content-type']), /^application\/(jwk-set\+)?json/)
        assert.match(String(reply.headers['cache-control']), /max-age=\d+/)
        assert.equal(reply.headers['set-cookie'], undefined)
        bodies.add(reply.text)
      }
    assert.equal(bodies.size, 1, path)
  }
  const { person, email } = await newPerson(licet)
  await person.authorize(authorizeUrl(spa), { email })
  for (const path of [
    '/',
    '/device',
    '/logout',
    '/logout/success',
    '/nowhere',
    '/nowhere.css',
    '/.well-known/nowhere',
    '/interaction/x',
    '/authorize',
    '/authorize/x.js',
    '/token',
    '/userinfo',
    '/api/v1/accounts/me',
  ])
    for (const accept of ['text/html', 'application/json', 'text/css']) {
      const visit = await person.send('GET', licet.issuer + path, undefined, { accept })
      assert.match(visit.headers.get('cache-control') ?? '', /no-store/, `${path} ${accept} ${visit.status}`)
    }
})
