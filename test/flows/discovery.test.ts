/**
 * What the server says of itself: the discovery document in both forms against what the library would say with the same configuration, the
 * published keys, and their entity tags.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { Provider } from 'oidc-provider'
import { type ConfigurationParts, createConfiguration } from '../../src/oidc/configuration.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { strictClients } from '../support/strict-client.ts'

type Document = Record<string, unknown>

const claims = {
  access_token: { region: { constant: 'eu' } },
  id_token: { plan: 'account.attributes.plan' },
  userinfo: { plan: 'account.attributes.plan', seat: 'account.attributes.seat' },
}

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { claims } })
})
after(() => licet.close())

const paths = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'] as const
const read = async (path: string): Promise<Document> => (await fetch(licet.issuer + path)).json() as Promise<Document>

/** What a bare provider with our configuration answers; what only works with a store is left out, for nothing here asks for it. */
async function libraryDocument(): Promise<Document> {
  const { jwks } = await licet.core.signingKeys.load()
  const { accessToken, idToken, userinfo } = licet.config.claims
  const parts = {
    settings: { claims: { accessToken, idToken, userinfo }, lifetimes: new Proxy({}, { get: () => 60 }) },
    jwks,
    cookieKeys: ['a key of this test'],
    dpopNonceSecret: Buffer.alloc(32),
    hooks: {},
    deviceFlow: {},
    logout: {},
    resourceLookup: { getResourceServerInfo: () => ({}) },
    facts: () => ({ ip: '', userAgent: '' }),
    now: () => 0,
    adapter: () => ({}),
  }
  const { interactions: _pages, ...configuration } = createConfiguration(parts as never as ConfigurationParts)
  const provider = new Provider(licet.issuer, configuration)
  const server = createServer(provider.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const headers = { 'x-forwarded-host': new URL(licet.issuer).host, 'x-forwarded-proto': 'http' }
  provider.proxy = true
  const answer = await fetch(`http://127.0.0.1:${port}/.well-known/openid-configuration`, { headers })
  const document = (await answer.json()) as Document
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  return document
}

const libraryGrants = [
  'authorization_code',
  'client_credentials',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
]

/** Where our document differs from the library's, and why. */
const differences: Readonly<Record<string, { ours: unknown; library: unknown; because: string }>> = {
  response_modes_supported: {
    ours: ['form_post', 'query'],
    library: ['form_post', 'fragment', 'query'],
    because: 'the library always lists fragment; our apps are registered for query and form_post only (threats.md AZ2)',
  },
  grant_types_supported: {
    ours: [...libraryGrants, 'urn:ietf:params:oauth:grant-type:token-exchange'],
    library: libraryGrants,
    because: 'token exchange (RFC 8693) is ours: the library knows nothing of it',
  },
}

/** What we say and the library does not. */
const additions: Readonly<Record<string, string>> = {
  registration_endpoint: 'RFC 7591: registration is ours, the library knows nothing of it',
  client_id_metadata_document_supported: 'client documents are ours, the library knows nothing of them',
  request_parameter_supported: 'OpenID Connect Discovery §3: request objects by value are off, said',
  ui_locales_supported: 'the pages have six languages',
  protected_resources: 'RFC 9728 §4: our own API',
  service_documentation: 'RFC 8414 §2',
  revocation_endpoint_auth_methods_supported: 'RFC 8414 §2: the default would be client_secret_basic alone',
  introspection_endpoint_auth_methods_supported: 'RFC 8414 §2: as at the token endpoint',
}

test('both forms of the discovery document are the same bytes', async () => {
  const [first, second] = await Promise.all(paths.map(async (path) => (await fetch(licet.issuer + path)).text()))
  assert.equal(first, second)
})

test('the discovery document says what the library would say, but for the differences that are written down', async () => {
  const [ours, library] = await Promise.all([read(paths[0]), libraryDocument()])
  for (const [name, value] of Object.entries(library)) {
    const known = differences[name]
    assert.deepEqual(sorted(ours[name]), sorted(known ? known.ours : value), `${name}: ${known?.because ?? ''}`)
    if (known) assert.deepEqual(sorted(value), sorted(known.library), `${name} of the library is not what it was`)
  }
  const added = Object.keys(ours).filter((name) => !(name in library))
  assert.deepEqual(added.sort(), Object.keys(additions).sort())
})

test('the discovery document names only addresses of the issuer, and each of them answers', async () => {
  const document = await read(paths[1])
  assert.equal(document['issuer'], licet.issuer)
  const endpoints = Object.entries(document).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name))
  assert.ok(endpoints.length >= 9)
  for (const [name, url] of endpoints) {
    assert.equal(new URL(String(url)).origin, licet.issuer, name)
    const { status } = await fetch(String(url), { method: 'POST', redirect: 'manual' })
    assert.notEqual(status, 404, name)
  }
})

test('what MCP clients look for stands in both forms (mcp.md 1.1: 4, 6, 7, 8, 13, 23)', async () => {
  for (const path of paths) {
    const answer = await fetch(licet.issuer + path)
    assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    const document = (await answer.json()) as Document
    assert.deepEqual(document['code_challenge_methods_supported'], ['S256'])
    assert.deepEqual(document['scopes_supported'], ['openid', 'profile', 'email', 'offline_access'])
    assert.equal(document['authorization_response_iss_parameter_supported'], true)
  }
})

test('the published keys are public, named by their thumbprint, and one signs for each algorithm', async () => {
  const { keys } = (await read('/.well-known/jwks.json')) as { keys: JWK[] }
  assert.deepEqual(keys.map(({ alg }) => alg).sort(), ['ES256', 'EdDSA', 'RS256'])
  for (const key of keys) {
    assert.equal(key.kid, await calculateJwkThumbprint(key))
    assert.equal(key.use, 'sig')
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(secret in key, false, secret)
  }
})

for (const path of [...paths, '/.well-known/jwks.json', '/.well-known/oauth-protected-resource/api/v1']) {
  test(`${path} is cached by its entity tag`, async () => {
    const first = await fetch(licet.issuer + path)
    const etag = first.headers.get('etag') ?? ''
    assert.match(etag, /^"[\w-]{20,}"$/)
    assert.match(first.headers.get('cache-control') ?? '', /public, max-age=\d+/)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await fetch(licet.issuer + path, { headers: { 'if-none-match': known } })
      assert.equal(again.status, 304, known)
      assert.equal(await again.text(), '')
      assert.equal(again.headers.get('etag'), etag)
    }
    const changed = await fetch(licet.issuer + path, { headers: { 'if-none-match': '"other"' } })
    assert.equal(changed.status, 200)
    const head = await fetch(licet.issuer + path, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers.get('etag')], [200, etag])
  })
}

test('both strict clients accept the document as it is', async () => {
  for (const { connect } of strictClients) await connect(licet.issuer, { clientId: 'anybody', auth: 'none' })
})

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? [...value].sort() : value
}
