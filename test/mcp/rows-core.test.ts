/**
 * What the core specification of MCP (2026-07-28, and the versions before it) asks of an authorization server: one test per requirement, numbered as in
 * docs/mcp.md. Each shows the requirement at its plainest; how it holds under attack stands in test/attacks.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { type Licet, newAccount, operator, startLicet } from '../support/licet.ts'
import { askTokens, MCP, mcpResource, registerItself, signInWith, WEB_CALLBACK } from '../support/mcp-client.ts'
import { Person, textOf } from '../support/person.ts'

const FORMS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
const LOOPBACK = 'http://127.0.0.1:33418/callback'
const PKCE = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }

type Metadata = Record<string, unknown> & {
  response_types_supported: string[]
  code_challenge_methods_supported: string[]
}

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { resources: [mcpResource] } })
})
after(() => licet.close())

const metadataAt = async (path: string) => (await (await fetch(licet.issuer + path)).json()) as Metadata
const clientIdOf = async (metadata: object = {}) => String((await registerItself(licet, metadata)).body['client_id'])
const authorizePath = (params: Record<string, string>) =>
  `/authorize?${new URLSearchParams({ redirect_uri: WEB_CALLBACK, response_type: 'code', resource: MCP, scope: 'mcp:read', state: 's', ...PKCE, ...params })}`
const refreshing = (refreshToken: unknown) => ({ grant_type: 'refresh_token', refresh_token: String(refreshToken) })

async function confidentialApp() {
  const wanted = { name: 'Server', type: 'web', redirectUris: [WEB_CALLBACK], scopes: ['mcp:read'] } as const
  return (await licet.core.apps.create(operator, wanted)).app
}

test('MCP 1: OAuth 2.1: the code flow only, PKCE for public and confidential clients, no password grant', async () => {
  const { response_types_supported, grant_types_supported } = await metadataAt(FORMS[0] ?? '')
  assert.deepEqual(response_types_supported, ['code'])
  assert.ok(!(grant_types_supported as string[]).some((grant) => ['implicit', 'password'].includes(grant)))
  const { clientId } = await confidentialApp()
  for (const id of [clientId, await clientIdOf()]) {
    const path = authorizePath({ client_id: id, code_challenge: '' })
    assert.match(
      (await new Person(licet.issuer).open(path)).url + (await new Person(licet.issuer).open(path)).body,
      /code_challenge/,
    )
  }
  const password = { grant_type: 'password', username: 'a', password: 'b' }
  assert.equal((await askTokens(licet, { clientId: await clientIdOf() }, password)).error, 'unsupported_grant_type')
})

test('MCP 2: client ID metadata documents are supported and said to be', async () => {
  assert.equal((await metadataAt(FORMS[0] ?? ''))['client_id_metadata_document_supported'], true)
})

test('MCP 3: dynamic registration is there and said to be', async () => {
  assert.equal((await metadataAt(FORMS[0] ?? ''))['registration_endpoint'], `${licet.issuer}/register`)
  assert.equal((await registerItself(licet)).status, 201)
})

test('MCP 4: both forms of metadata, the same content, and the default paths that the oldest clients fall back to', async () => {
  const [oauth, openid] = await Promise.all(FORMS.map(metadataAt))
  assert.deepEqual(oauth, openid)
  for (const [name, path] of [
    ['authorization', '/authorize'],
    ['token', '/token'],
    ['registration', '/register'],
  ] as const)
    assert.equal(oauth?.[`${name}_endpoint`], licet.issuer + path)
})

test('MCP 5: the issuer has no path, so that every discovery address of every client is the same one', async () => {
  assert.equal(new URL(licet.issuer).pathname, '/')
  assert.equal(licet.issuer.endsWith('/'), false)
  for (const path of FORMS) assert.equal((await fetch(licet.issuer + path)).status, 200)
})

test('MCP 6: the issuer in the metadata is the one used for discovery, byte for byte, whatever Host says', async () => {
  for (const path of FORMS) assert.equal((await metadataAt(path))['issuer'], licet.issuer)
})

test('MCP 7: iss stands in success and error answers, and is said to', async () => {
  assert.equal((await metadataAt(FORMS[0] ?? ''))['authorization_response_iss_parameter_supported'], true)
  const clientId = await clientIdOf()
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const allowed = await person.authorize(authorizePath({ client_id: clientId }), { email })
  assert.ok(allowed.searchParams.get('code'))
  const denied = await person.authorize(authorizePath({ client_id: clientId, prompt: 'consent' }), {
    email,
    allow: { decision: 'deny' },
  })
  assert.equal(denied.searchParams.get('error'), 'access_denied')
  for (const back of [allowed, denied]) assert.equal(back.searchParams.get('iss'), licet.issuer)
})

test('MCP 8: both forms say S256, or clients must refuse', async () => {
  for (const path of FORMS) assert.deepEqual((await metadataAt(path)).code_challenge_methods_supported, ['S256'])
})

test('MCP 9: resource is taken at authorize and token, in upper case, with and without a slash; a second audience is refused', async () => {
  const clientId = await clientIdOf()
  const spelled = (resource: string) =>
    signInWith(licet, { clientId }, { params: { resource }, tokenParams: { resource } })
  for (const resource of [MCP, 'HTTPS://MCP.example.test/mcp', `${MCP}/`])
    assert.equal((await spelled(resource)).claims?.['aud'], MCP)
  const other = await signInWith(licet, { clientId }, { tokenParams: { resource: `${licet.issuer}/api/v1` } })
  assert.equal(other.error, 'invalid_target')
  assert.match((await spelled('https://nobody.example.test/mcp')).page ?? '', /invalid_target/)
})

test('MCP 10: an access token is bound to the audience, as it is registered, byte for byte', async () => {
  const { claims } = await signInWith(licet, { clientId: await clientIdOf() })
  assert.equal(claims?.['aud'], MCP)
})

test('MCP 11: access tokens live fifteen minutes', async () => {
  const { claims, tokens } = await signInWith(licet, { clientId: await clientIdOf() })
  assert.deepEqual([claims?.['exp'] - claims?.['iat'], tokens?.['expires_in']], [900, 900])
})

test('MCP 12: refresh tokens of public clients rotate, and one used again from elsewhere ends the family', async () => {
  const identity = { clientId: await clientIdOf() }
  const { tokens } = await signInWith(licet, identity)
  const next = await askTokens(licet, identity, refreshing(tokens?.['refresh_token']))
  assert.ok(next.tokens?.['refresh_token'])
  assert.notEqual(next.tokens['refresh_token'], tokens?.['refresh_token'])
  const thief = { clientId: await clientIdOf() }
  assert.equal((await askTokens(licet, thief, refreshing(tokens?.['refresh_token']))).error, 'invalid_grant')
  assert.equal((await askTokens(licet, identity, refreshing(next.tokens['refresh_token']))).error, 'invalid_grant')
})

test('MCP 13: a refresh token follows the grant type; offline_access is advertised, taken and not needed', async () => {
  assert.ok(((await metadataAt(FORMS[0] ?? ''))['scopes_supported'] as string[]).includes('offline_access'))
  for (const scope of ['mcp:read', 'mcp:read offline_access']) {
    const { tokens } = await signInWith(licet, { clientId: await clientIdOf() }, { params: { scope } })
    assert.ok(tokens?.['refresh_token'], scope)
  }
})

test('MCP 14: in production every endpoint is https: a plain issuer does not start, and metadata follows the issuer', async () => {
  const env = { LICET_MODE: 'production', LICET_ISSUER: 'http://auth.example.test', LICET_SECRET: 'x'.repeat(40) }
  const loaded = loadConfig({ env, cwd: licet.directory })
  assert.ok(
    'problems' in loaded &&
      loaded.problems.some(({ path, expected }) => /issuer/i.test(path) && /https/.test(expected)),
  )
  const endpoints = Object.entries(await metadataAt(FORMS[0] ?? '')).filter(([name]) => /_endpoint$|_uri$/.test(name))
  for (const [name, url] of endpoints) assert.ok(String(url).startsWith(`${licet.issuer}/`), name)
})

test('MCP 15: redirect URIs are https or loopback; private schemes of native apps are let through, schemes of the system are not', async () => {
  const registers = async (uri: string) => (await registerItself(licet, { redirect_uris: [uri] })).status
  for (const uri of [
    'https://a.test/cb',
    LOOPBACK,
    'http://[::1]/cb',
    'http://localhost:1/cb',
    'cursor://x/cb',
    'com.example.app:/cb',
  ])
    assert.equal(await registers(uri), 201, uri)
  for (const uri of ['http://a.test/cb', 'http://localhost.a.test/cb', 'ms-msdt:x', 'javascript:x', 'file:///x'])
    assert.equal(await registers(uri), 400, uri)
})

test('MCP 16: redirect URIs are compared exactly; only the port of a loopback address may differ', async () => {
  const web = await clientIdOf()
  const native = await clientIdOf({ redirect_uris: [LOOPBACK] })
  const status = async (clientId: string, uri: string) =>
    (await new Person(licet.issuer).send('GET', authorizePath({ client_id: clientId, redirect_uri: uri }))).status
  for (const uri of [`${WEB_CALLBACK}/`, `${WEB_CALLBACK}?x`, 'https://client.example.test:8443/callback'])
    assert.equal(await status(web, uri), 400, uri)
  assert.equal(await status(web, WEB_CALLBACK), 303)
  assert.equal(await status(native, 'http://127.0.0.1:50000/callback'), 303)
  assert.equal(await status(native, 'http://127.0.0.1:50000/other'), 400)
})

test('MCP 17: a self-registered client is consented to before anybody is sent to it; a loopback one every time', async () => {
  const { email } = await newAccount(licet.core)
  for (const [redirect, again] of [
    [WEB_CALLBACK, false],
    [LOOPBACK, true],
  ] as const) {
    const clientId = await clientIdOf({ redirect_uris: [redirect] })
    const person = new Person(licet.issuer)
    const path = authorizePath({ client_id: clientId, redirect_uri: redirect })
    assert.ok((await person.authorize(path, { email })).searchParams.get('code'))
    assert.equal((await person.open(path)).body.includes('name="decision"'), again, redirect)
  }
  const wrong = await new Person(licet.issuer).send(
    'GET',
    authorizePath({ client_id: await clientIdOf(), scope: 'api:admin', resource: `${licet.issuer}/api/v1` }),
  )
  assert.deepEqual([wrong.status, wrong.headers.get('location')], [400, null])
})

test('MCP 18: what a client got from one issuer is nothing to another', async (t) => {
  const other = await startLicet({ env: { LICET_SECRET: 'another root secret that is long enough too' } })
  t.after(() => other.close())
  assert.match((await signInWith(other, { clientId: await clientIdOf() })).page ?? '', /add it again/)
})

test('MCP 19: application_type is taken when given and inferred when not', async () => {
  const typeOf = async (metadata: object) => (await registerItself(licet, metadata)).body['application_type']
  assert.equal(await typeOf({ application_type: 'native' }), 'native')
  assert.equal(await typeOf({ application_type: 'web' }), 'web')
  assert.equal(await typeOf({ redirect_uris: [LOOPBACK] }), 'native')
  assert.equal(await typeOf({}), 'web')
})

test('MCP 20: a person may grant less than was asked, and the token response says what was granted', async () => {
  const clientId = await clientIdOf()
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const asked = authorizePath({ client_id: clientId, scope: 'mcp:read mcp:write' })
  const page = await person.submit(
    await person.open(asked),
    { email, password: 'correct horse battery staple' },
    '/sign-in',
  )
  await person.submit(page, { decision: 'allow_read_only' }, '/consent')
  const { tokens, scopes } = await signInWith(licet, { clientId }, { person, email })
  assert.deepEqual([tokens?.['scope'], scopes], ['mcp:read', ['mcp:read']])
})

test('MCP 21: a self-registered client that asks for one more scope gets the union, which the person was shown', async () => {
  const clientId = await clientIdOf()
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  await signInWith(licet, { clientId }, { person, email })
  const page = await person.open(authorizePath({ client_id: clientId, scope: 'mcp:write' }))
  assert.match(textOf(page.body), /1 permission you gave before/)
  const { scopes } = await signInWith(licet, { clientId }, { person, email, params: { scope: 'mcp:write' } })
  assert.deepEqual(scopes, ['mcp:read', 'mcp:write'])
})

test('MCP 22: OAuth 2.1 §1.5 and §7: no token in a cache, no credentials in an address, no method but POST at the token endpoint', async () => {
  const clientId = await clientIdOf()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = `grant_type=refresh_token&client_id=${clientId}&refresh_token=x`
  const refused = await fetch(`${licet.issuer}/token`, { method: 'POST', headers: form, body })
  assert.match(refused.headers.get('cache-control') ?? '', /no-store/)
  assert.equal(refused.headers.get('content-type')?.split(';')[0], 'application/json')
  assert.ok((await fetch(`${licet.issuer}/token?${body}`)).status >= 404)
  const inAddress = await fetch(`${licet.issuer}/token?client_secret=x`, { method: 'POST', headers: form, body })
  assert.equal(inAddress.status, 400)
})
