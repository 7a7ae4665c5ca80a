/**
 * A simulator per shim: a client with exactly that quirk. With the shim it gets what it asked for; with that one shim off, and all others on, it does not.
 * And what a shim does is counted, by client software, once a person stands behind it.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createShims, type ShimName, shimByCode, shimNames, shims } from '../../src/shims.ts'
import { form } from '../support/app-client.ts'
import { type Documents, startDocuments } from '../support/documents.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import {
  askTokens,
  MCP,
  mcpResource,
  type Outcome,
  registerItself,
  type SignInWish,
  signInWith,
} from '../support/mcp-client.ts'
import { Person, textOf } from '../support/person.ts'

const ROOT = 'https://root.example.test'
const LOCALHOST = 'http://localhost:33418/callback'
const LOOPBACK = 'http://127.0.0.1:33418/callback'

let documents: Documents
let licet: Licet
const start = (off: readonly ShimName[] = []) =>
  startLicet({
    file: {
      resources: [mcpResource, { ...mcpResource, identifier: ROOT, name: 'Root' }],
      outbound: documents.outbound,
      mcp: { shims: Object.fromEntries(off.map((name) => [name, 'off'])) },
    },
  })
before(async () => {
  documents = await startDocuments()
  licet = await start()
})
after(async () => {
  await licet.close()
  await documents.close()
})

const isRegistered = async (server: Licet, metadata: object) => (await registerItself(server, metadata)).status === 201

/** Registers, signs in, and says what came of it. */
async function signIn(server: Licet, metadata: object, wish: SignInWish = {}): Promise<Outcome> {
  const { body } = await registerItself(server, metadata)
  return signInWith(server, { clientId: String(body['client_id']) }, wish)
}

const speltAs =
  (resource: string, meant = MCP) =>
  async (server: Licet) => {
    const { claims } = await signIn(server, {}, { params: { resource }, tokenParams: { resource } })
    return claims?.['aud'] === meant
  }

/** What a client with that quirk does; true when it has what it wanted. */
const simulators: Readonly<Record<ShimName, (server: Licet) => Promise<boolean>>> = {
  resource_trailing_slash: speltAs(`${ROOT}/`, ROOT),
  resource_upper_case: speltAs('HTTPS://MCP.Example.test/mcp'),
  resource_default_port: speltAs('https://mcp.example.test:443/mcp'),
  async scope_missing(server) {
    const { scopes } = await signIn(server, {}, { params: { scope: undefined } })
    return scopes.join() === 'mcp:read'
  },
  async scope_unknown(server) {
    const { scopes } = await signIn(server, {}, { params: { scope: 'mcp:read claudeai' } })
    return scopes.join() === 'mcp:read'
  },
  async scope_accumulates(server) {
    const { body } = await registerItself(server)
    const { email } = await newAccount(server.core)
    const [identity, person] = [{ clientId: String(body['client_id']) }, new Person(server.issuer)]
    await signInWith(server, identity, { person, email })
    const { scopes } = await signInWith(server, identity, { person, email, params: { scope: 'mcp:write' } })
    return scopes.join() === 'mcp:read,mcp:write'
  },
  async step_up_hint(server) {
    const { body } = await registerItself(server)
    const identity = { clientId: String(body['client_id']) }
    const { tokens } = await signInWith(server, identity)
    await sayTooLittle(server, String(tokens?.['access_token']))
    const refresh = { grant_type: 'refresh_token', refresh_token: String(tokens?.['refresh_token']) }
    return (await askTokens(server, identity, refresh)).error === 'invalid_grant'
  },
  localhost_port: async (server) =>
    (
      await signIn(
        server,
        { redirect_uris: [LOCALHOST] },
        { params: { redirect_uri: 'http://localhost:50000/callback' } },
      )
    ).tokens !== undefined,
  async document_loopback_port(server) {
    const clientId = documents.publish('/portless.json', { redirect_uris: ['http://127.0.0.1/callback'] })
    return (await signInWith(server, { clientId }, { params: { redirect_uri: LOOPBACK } })).tokens !== undefined
  },
  private_scheme: (server) => isRegistered(server, { redirect_uris: ['cursor://anysphere/callback'] }),
  application_type_missing: (server) => isRegistered(server, { redirect_uris: [LOOPBACK] }),
  application_type_wrong: (server) => isRegistered(server, { redirect_uris: [LOOPBACK], application_type: 'web' }),
  auth_method_unknown: (server) => isRegistered(server, { token_endpoint_auth_method: 'tls_client_auth' }),
  async document_auth_method(server) {
    const clientId = documents.publish('/silent.json', { token_endpoint_auth_method: undefined })
    return (await signInWith(server, { clientId })).tokens !== undefined
  },
  metadata_empty_values: (server) => isRegistered(server, { client_uri: '', logo_uri: null, contacts: null }),
  grant_types_unknown: (server) =>
    isRegistered(server, {
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    }),
  response_types_unknown: (server) => isRegistered(server, { response_types: ['code', 'token'] }),
  metadata_scope: (server) => isRegistered(server, { scope: 'mcp:read claudeai' }),
  links_not_https: (server) => isRegistered(server, { client_uri: 'http://client.example.test' }),
  async secret_method(server) {
    const { body } = await registerItself(server, { token_endpoint_auth_method: 'client_secret_post' })
    const [clientId, secret] = [String(body['client_id']), String(body['client_secret'])]
    const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
    const byHeader = { clientId, prove: (params: object) => ({ params: { ...params }, headers: { authorization } }) }
    return (await signInWith(server, byHeader)).tokens !== undefined
  },
}

/** The resource server of `MCP` says that a token is not enough. */
async function sayTooLittle({ core, issuer }: Licet, token: string): Promise<void> {
  const wanted = { name: 'Example MCP', type: 'service', resourceServer: MCP } as const
  const { app, clientSecret } = await core.apps.create(operator, wanted)
  const authorization = `Basic ${Buffer.from(`${app.clientId}:${clientSecret}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  await fetch(`${issuer}/introspect`, { method: 'POST', headers, body: form({ token, step_up: 'true' }) })
}

for (const name of shimNames) {
  test(`shim ${name}: with it the client gets through, without it alone it does not`, async (t) => {
    assert.equal(await simulators[name](licet), true, 'on')
    const without = await start([name])
    t.after(() => without.close())
    assert.equal(await simulators[name](without), false, 'off')
  })
}

test('every shim has a code of its own, by which sealed ids name it for ever', () => {
  assert.equal(new Set(shimNames.map((name) => shims[name].code)).size, shimNames.length)
  for (const name of shimNames) assert.equal(shimByCode(shims[name].code), name)
  assert.deepEqual(
    shimNames.filter((name) => !createShims(['scope_missing']).on(name)),
    ['scope_missing'],
  )
})

test('a client without any quirk leaves no trace among those that were mended', async (t) => {
  const clean = await start()
  t.after(() => clean.close())
  const grants = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }
  assert.ok((await signIn(clean, grants)).tokens)
  assert.match(await clientsPage(clean), /No client has needed it yet/)
})

test('what a shim did is counted by client software, and only for what a person has allowed', async (t) => {
  const counting = await start()
  t.after(() => counting.close())
  await registerItself(counting, { client_name: 'Never allowed', redirect_uris: [LOOPBACK] })
  const wish = { params: { redirect_uri: LOOPBACK, scope: undefined } }
  await signIn(counting, { client_name: 'Desk Agent', redirect_uris: [LOOPBACK] }, wish)
  await signIn(counting, { client_name: 'Desk Agent', redirect_uris: [LOOPBACK] }, wish)
  const shown = await clientsPage(counting)
  assert.match(shown, /Desk Agent registered itself/)
  assert.match(shown, /application_type_missing 2 times/)
  assert.match(shown, /scope_missing 2 times/)
  assert.doesNotMatch(shown, /Never allowed/)
})

test('/docs/clients tells everybody what is mended, and only an administrator whom it served', async () => {
  const stranger = await new Person(licet.issuer).open('/docs/clients')
  assert.equal(stranger.status, 200)
  for (const name of shimNames) assert.ok(stranger.body.includes(`<code>${name}</code>`), name)
  assert.doesNotMatch(textOf(stranger.body), /Which clients needed it/)
  assert.doesNotMatch(await clientsPage(licet, {}), /Which clients needed it/)
  assert.match(await clientsPage(licet), /Which clients needed it/)
})

/** The page as somebody who is signed in reads it. */
async function clientsPage({ core, issuer }: Licet, standing: object = { role: 'administrator' }): Promise<string> {
  const { email } = await newAccount(core, undefined, standing)
  const person = new Person(issuer)
  await person.submit(await person.open('/settings'), { email, password: PASSWORD }, '/sign-in')
  return textOf((await person.open('/docs/clients')).body)
}
