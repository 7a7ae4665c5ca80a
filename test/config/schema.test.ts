/**
 * What each option takes: the rules that keep tokens, apps and networks safe. Every refusal names the option it is about.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parseSettings } from '../../src/config/together.ts'
import { isLoopbackHost, isNetwork, parseDuration } from '../../src/config/values.ts'
import { protocolClaims } from '../../src/protocol-claims.ts'

function settings(yaml: string) {
  const parsed = parseSettings(parse(yaml) as Record<string, unknown>)
  assert.ok('settings' in parsed, JSON.stringify(parsed))
  return parsed.settings
}

function refusals(yaml: string): string[] {
  const parsed = parseSettings(parse(yaml) as Record<string, unknown>)
  return 'issues' in parsed ? parsed.issues.map(({ path }) => path.join('.')) : []
}

const app = (rest: string) => `apps: [{ client_id: a, name: A, ${rest} }]`
const WEB = 'type: web, redirect_uris: ["https://a.example/cb"], client_secret: 0123456789abcdef'

test('durations are numbers of seconds or have a unit', () => {
  assert.deepEqual(
    ['15m', '30d', '500ms', '60', 60, '2w'].map(parseDuration),
    [900_000, 2_592_000_000, 500, 60_000, 60_000, 1_209_600_000],
  )
  for (const bad of ['', '-1s', '1.5h', '1 h', '5y', '1e3', '0x10', '99999999999s'])
    assert.equal(parseDuration(bad), undefined, bad)
  assert.deepEqual(refusals('lifetimes: { code: 500ms }'), ['lifetimes.code'])
  assert.deepEqual(refusals('lifetimes: { code: 0 }'), ['lifetimes.code'])
})

test('a store in memory is one process', () => {
  assert.deepEqual(refusals('{ store_url: "sqlite::memory:", workers: 2 }'), ['workers'])
  assert.deepEqual(refusals('{ store_url: "sqlite::memory:" }'), [])
})

test('a code lives ten minutes at most (RFC 6749 §4.1.2) and an exchanged token too', () => {
  assert.deepEqual(refusals('lifetimes: { code: 11m, exchanged_token: 601s }'), [
    'lifetimes.code',
    'lifetimes.exchanged_token',
  ])
})

test('a limit is a number in a window, or off', () => {
  const { rate_limits } = settings('rate_limits: { sign_in_address: 20/30s, token_client: off, api_credential: false }')
  assert.deepEqual(rate_limits.signInAddress, { limit: 20, windowSeconds: 30 })
  assert.equal(rate_limits.tokenClient, null)
  assert.equal(rate_limits.apiCredential, null)
  for (const bad of ['0/1m', '10', '10/0s', '10/1y', 'on', '-5/1m']) {
    assert.deepEqual(refusals(`rate_limits: { sign_in_address: "${bad}" }`), ['rate_limits.sign_in_address'], bad)
  }
})

test('configuration that sets a protocol claim does not start', () => {
  for (const claim of protocolClaims) {
    if (claim === '__proto__') continue
    for (const map of ['access_token', 'id_token', 'userinfo']) {
      assert.equal(refusals(`claims: { ${map}: { ${claim}: { constant: x } } }`).length, 1, `${map} ${claim}`)
    }
    const resource = `resources: [{ identifier: "https://r.example", scopes: ["mcp:read"], claims: { ${claim}: { constant: x } } }]`
    assert.equal(refusals(resource).length, 1, claim)
  }
  const contract =
    'iss sub aud exp nbf iat jti client_id scope auth_time acr amr sid act cnf azp nonce authorization_details'
  for (const claim of contract.split(' ')) assert.ok(protocolClaims.has(claim), claim)
})

test('a claim comes from account attributes, app metadata or a constant, and from nowhere else', () => {
  const { claims } = settings(
    'claims: { access_token: { a: account.attributes.plan.tier, b: app.metadata.x, c: { constant: [1, null] } } }',
  )
  assert.deepEqual(claims.accessToken, {
    a: { from: 'account', path: ['plan', 'tier'] },
    b: { from: 'app', path: ['x'] },
    c: { from: 'constant', value: [1, null] },
  })
  for (const bad of [
    'account.passwordHash',
    'account.attributes',
    'app.clientSecret',
    'account.attributes..x',
    'process.env.HOME',
    '3',
  ]) {
    assert.deepEqual(refusals(`claims: { access_token: { a: ${bad} } }`), ['claims.access_token.a'], bad)
  }
})

test('the claims hook is https, or http on loopback', () => {
  const hook = (url: string) => refusals(`claims: { hook: { url: "${url}" } }`)
  assert.deepEqual(hook('https://h.example/x'), [])
  assert.deepEqual(hook('http://127.0.0.1:9/x'), [])
  for (const bad of ['http://h.example/x', 'https://a:b@h.example/', 'file:///etc/passwd', 'h.example']) {
    assert.deepEqual(hook(bad), ['claims.hook.url'], bad)
  }
})

test('an operator adds scopes beside the built-in ten, and a third party never gets an admin scope', () => {
  const added = settings(
    'scopes: { "billing:read": { family: billing, access: read, describe: See your invoices, third_party: true } }',
  )
  assert.equal(Object.keys(added.scopes).length, 11)
  const scope = (name: string, rest: string) => refusals(`scopes: { "${name}": { family: f, describe: d, ${rest} } }`)
  assert.deepEqual(scope('x:admin', 'access: admin, third_party: true'), ['scopes.x:admin.third_party'])
  assert.deepEqual(scope('api:admin', 'access: read'), ['scopes.api:admin.access'])
  assert.deepEqual(scope('openid', 'access: read'), ['scopes.openid'])
  assert.deepEqual(scope('a b', 'access: read'), ['scopes.a b'])
})

test('resources own scopes that exist, and default to scopes they own', () => {
  assert.deepEqual(refusals('resources: [{ identifier: "https://r.example", scopes: ["no:read"] }]'), [
    'resources.0.scopes.0',
  ])
  assert.deepEqual(
    refusals('resources: [{ identifier: "https://r.example", scopes: ["mcp:read"], default_scopes: ["mcp:write"] }]'),
    ['resources.0.default_scopes.0'],
  )
  assert.deepEqual(refusals('resources: [{ identifier: "https://r.example/#x", scopes: ["mcp:read"] }]'), [
    'resources.0.identifier',
  ])
  // Attack: names that every JavaScript object seems to have.
  assert.deepEqual(refusals('resources: [{ identifier: "https://r.example", scopes: [toString] }]'), [
    'resources.0.scopes.0',
  ])
})

test('an app proves itself in a way that fits its type', () => {
  assert.deepEqual(refusals(app(WEB)), [])
  assert.deepEqual(refusals(app('type: web, redirect_uris: ["https://a.example/cb"]')), ['apps.0.client_secret_file'])
  assert.deepEqual(
    refusals(app('type: spa, redirect_uris: ["https://a.example/cb"], client_secret: 0123456789abcdef')),
    ['apps.0.client_secret'],
  )
  assert.deepEqual(refusals(app('type: service, auth: none')), ['apps.0.auth'])
  assert.deepEqual(refusals(app('type: service, auth: private_key_jwt')), ['apps.0.jwks'])
  assert.deepEqual(refusals(app('type: native')), ['apps.0.redirect_uris'])
  assert.deepEqual(refusals(app('type: device, redirect_uris: ["https://a.example/cb"]')), ['apps.0.redirect_uris'])
})

test('an app cannot be given a private key, a wildcard or a scope beyond it', () => {
  const jwks = (key: string) => refusals(app(`type: service, auth: private_key_jwt, jwks: { keys: [${key}] }`))
  assert.deepEqual(jwks('{ kty: EC, crv: P-256, x: a, y: b }'), [])
  assert.deepEqual(jwks('{ kty: EC, crv: P-256, x: a, y: b, d: c }'), ['apps.0.jwks.keys.0'])
  assert.deepEqual(jwks('{ kty: oct, k: c }'), ['apps.0.jwks.keys.0'])
  assert.deepEqual(refusals(app('type: spa, redirect_uris: ["https://*.example/cb"]')), ['apps.0.redirect_uris.0'])
  assert.deepEqual(refusals(app(`${WEB}, scopes: [openid, "api:read", "no:read"]`)), ['apps.0.scopes.2'])
  assert.deepEqual(refusals(app(`${WEB}, first_party: false, scopes: ["api:admin"]`)), ['apps.0.scopes.0'])
  assert.deepEqual(refusals(app('type: service, client_secret: 0123456789abcdef, scopes: ["api:admin"]')), [
    'apps.0.scopes',
  ])
})

test('client ids, resources and upstreams are named once', () => {
  const twice = `apps: [{ client_id: a, name: A, ${WEB} }, { client_id: a, name: B, ${WEB} }]`
  assert.deepEqual(refusals(twice), ['apps.1.client_id'])
})

test('an issuer is written in its one canonical form', () => {
  for (const good of ['https://a.example', 'http://localhost:4000', 'https://a.example/tenant'])
    assert.deepEqual(refusals(`issuer: ${good}`), [], good)
  for (const bad of [
    'https://a.example/',
    'https://A.example',
    'https://a.example:443',
    'https://a.example?x',
    'https://u@a.example',
    'ftp://a',
  ]) {
    assert.deepEqual(refusals(`issuer: "${bad}"`), ['issuer'], bad)
  }
})

test('networks are addresses or CIDRs; anything else is refused rather than ignored', () => {
  for (const good of ['10.0.0.0/8', '::1', 'fd00::/8', '192.0.2.1', '0.0.0.0/0']) assert.ok(isNetwork(good), good)
  for (const bad of [
    '10.0.0.0/33',
    '10.0.0/8',
    'localhost',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '',
    '010.0.0.1',
    '::/129',
  ])
    assert.ok(!isNetwork(bad), bad)
})

test('loopback is this machine and nothing that looks like it', () => {
  for (const host of ['localhost', 'app.localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
    assert.ok(isLoopbackHost(host), host)
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', '0.0.0.0', '128.0.0.1', 'notlocalhost'])
    assert.ok(!isLoopbackHost(host), host)
})

test('text that people read holds no characters that turn or hide it', () => {
  assert.deepEqual(refusals('brand: { name: "Li\\u202ecet" }'), ['brand.name'])
  assert.deepEqual(refusals('brand: { accent: "red; background: url(x)" }'), ['brand.accent'])
})
