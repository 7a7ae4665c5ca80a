/**
 * What MCP asks of client ID metadata documents (2026-07-28), and of the extensions for client credentials and DPoP: one test per requirement, numbered as
 * in docs/mcp.md. Hostile hosts stand in documents.test.ts.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Documents, startDocuments } from '../support/documents.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { askTokens, MCP, mcpResource, registerItself, signInWith, WEB_CALLBACK } from '../support/mcp-client.ts'
import { Person, textOf } from '../support/person.ts'
import { ASSERTION_TYPE, assertion, dpop, newKey } from '../support/proofs.ts'

const LOOPBACK = 'http://127.0.0.1:33418/callback'

let documents: Documents
let licet: Licet
let time = Date.now()
before(async () => {
  documents = await startDocuments()
  licet = await startLicet({
    now: () => time,
    file: { resources: [mcpResource], outbound: documents.outbound, client_documents: { deny_hosts: ['denied.test'] } },
  })
})
after(async () => {
  await licet.close()
  await documents.close()
})

const isTaken = async (clientId: string, redirect = WEB_CALLBACK) =>
  (await signInWith(licet, { clientId }, { params: { redirect_uri: redirect } })).tokens !== undefined

const metadata = async () =>
  (await (await fetch(`${licet.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>

test('MCP 23: support for metadata documents is advertised, and not when it is off', async (t) => {
  assert.equal((await metadata())['client_id_metadata_document_supported'], true)
  const off = await startLicet({ file: { client_documents: { policy: 'off' } } })
  t.after(() => off.close())
  const theirs = (await (await fetch(`${off.issuer}/.well-known/oauth-authorization-server`)).json()) as object
  assert.equal((theirs as Record<string, unknown>)['client_id_metadata_document_supported'], false)
})

test('MCP 24: a client id that is an address is fetched, and its app signs in', async () => {
  const before = documents.fetches()
  assert.ok(await isTaken(documents.publish('/24.json')))
  assert.equal(documents.fetches() - before, 1)
})

test('MCP 25: the client_id in the document is its address exactly', async () => {
  assert.equal(await isTaken(documents.publish('/25.json', { client_id: `${documents.origin}/25.json/` })), false)
})

test('MCP 26: a document is cached as HTTP says', async () => {
  const clientId = documents.publish('/26.json', {}, { 'cache-control': 'max-age=600' })
  await isTaken(clientId)
  const before = documents.fetches()
  time += 500_000
  await isTaken(clientId)
  assert.equal(documents.fetches() - before, 0)
  time += 200_000
  await isTaken(clientId)
  assert.equal(documents.fetches() - before, 1)
})

test('MCP 27: the redirect URI is one of the document', async () => {
  const clientId = documents.publish('/27.json', { redirect_uris: [WEB_CALLBACK, 'http://127.0.0.1/callback'] })
  assert.equal(await isTaken(clientId, 'https://elsewhere.example.test/cb'), false)
  assert.equal(await isTaken(clientId, LOOPBACK), true)
})

test('MCP 28: the document is JSON and has client_id, client_name and redirect_uris', async () => {
  const complete = { client_name: 'App', redirect_uris: [WEB_CALLBACK] }
  for (const missing of ['client_id', 'client_name', 'redirect_uris'])
    assert.equal(
      await isTaken(documents.publish(`/28-${missing}.json`, { ...complete, [missing]: undefined })),
      false,
      missing,
    )
  assert.equal(await isTaken(documents.serve('/28.json', { body: 'client_id=x' })), false)
})

test('MCP 29: the address is https and has a path', async () => {
  const before = documents.fetches()
  documents.publish('/')
  for (const clientId of [
    documents.origin,
    `${documents.origin}/`,
    documents.publish('/29.json').replace('https:', 'http:'),
  ])
    assert.equal(await isTaken(clientId), false, clientId)
  assert.equal(documents.fetches(), before)
})

test('MCP 30: a document holds no shared secret, and without a word of it the client is public', async () => {
  assert.equal(await isTaken(documents.publish('/30-a.json', { client_secret: 'x' })), false)
  assert.equal(
    await isTaken(documents.publish('/30-b.json', { token_endpoint_auth_method: 'client_secret_post' })),
    false,
  )
  assert.equal(await isTaken(documents.publish('/30-c.json', { token_endpoint_auth_method: undefined })), true)
})

test('MCP 31: no document is fetched from a private network', async (t) => {
  const guarded = await startLicet()
  t.after(() => guarded.close())
  const before = documents.fetches()
  assert.ok((await signInWith(guarded, { clientId: documents.publish('/31.json') })).page)
  assert.equal(documents.fetches(), before)
})

test('MCP 32: the page shows the host of the document and of the redirect, and warns when it is this computer', async () => {
  const clientId = documents.publish('/32.json', { redirect_uris: ['http://127.0.0.1/callback'] })
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: LOOPBACK,
    response_type: 'code',
    resource: MCP,
    scope: 'mcp:read',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  const person = new Person(licet.issuer)
  const { core } = licet
  const account = await core.accounts.create(operator, {
    email: `p${Math.random()}@example.test`,
    password: 'correct horse battery staple',
    emailVerified: true,
  })
  const signIn = await person.open(`/authorize?${query}`)
  const page = textOf(
    (await person.submit(signIn, { email: account.email, password: 'correct horse battery staple' }, '/sign-in')).body,
  )
  assert.ok(page.includes(new URL(clientId).host), page)
  assert.ok(page.includes('127.0.0.1:33418'), page)
  assert.match(page, /This app runs on your computer/)
})

test('MCP 33: the operator says whose documents are read', async (t) => {
  const listed = await startLicet({
    file: {
      resources: [mcpResource],
      outbound: documents.outbound,
      client_documents: { policy: 'listed', allow_hosts: ['other.test'] },
    },
  })
  t.after(() => listed.close())
  const before = documents.fetches()
  assert.ok((await signInWith(listed, { clientId: documents.publish('/33.json') })).page)
  assert.ok((await signInWith(licet, { clientId: 'https://denied.test/33.json' })).page)
  assert.equal(documents.fetches(), before)
})

test('MCP 34: a document with public keys proves itself by private_key_jwt', async () => {
  const [key, other] = [await newKey(), await newKey()]
  const clientId = documents.publish('/34.json', {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...key.publicJwk, use: 'sig', alg: 'ES256' }] },
  })
  const provedBy = (by: typeof key) => ({
    clientId,
    prove: async (params: object) => ({
      params: {
        ...params,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: await assertion(by, { clientId, issuer: licet.issuer }),
      },
    }),
  })
  assert.ok((await signInWith(licet, provedBy(key))).tokens)
  assert.equal((await signInWith(licet, provedBy(other))).error, 'invalid_client')
})

test('MCP 43: client credentials are for registered apps, with a secret or a key, and never for those that registered themselves', async () => {
  const said = await metadata()
  const methods = said['token_endpoint_auth_methods_supported'] as string[]
  assert.ok(methods.includes('private_key_jwt') && methods.includes('client_secret_basic'))
  assert.ok((said['token_endpoint_auth_signing_alg_values_supported'] as string[]).includes('ES256'))
  const { app, clientSecret } = await licet.core.apps.create(operator, {
    name: 'Nightly',
    type: 'service',
    scopes: ['mcp:read'],
  })
  const basic = (clientId: string, secret: unknown) => ({
    clientId,
    prove: (params: object) => ({
      params: { ...params },
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
    }),
  })
  const asking = { grant_type: 'client_credentials', resource: MCP, scope: 'mcp:read' }
  assert.equal((await askTokens(licet, basic(app.clientId, clientSecret), asking)).claims?.['aud'], MCP)
  const { body } = await registerItself(licet, {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
  })
  const itself = basic(String(body['client_id']), body['client_secret'])
  assert.equal((await askTokens(licet, itself, asking)).error, 'unauthorized_client')
})

test('MCP 44: DPoP: algorithms are advertised and asymmetric, tokens are bound, and an app that asks for it gets no other', async () => {
  const algorithms = (await metadata())['dpop_signing_alg_values_supported'] as string[]
  assert.ok(algorithms.includes('ES256') && algorithms.every((alg) => !/^(?:none|HS)/.test(alg)))
  const { body } = await registerItself(licet, { dpop_bound_access_tokens: true })
  const clientId = String(body['client_id'])
  const key = await newKey()
  const bound = {
    clientId,
    prove: async (params: object) => ({
      params: { client_id: clientId, ...params },
      headers: { DPoP: await dpop(key, `${licet.issuer}/token`) },
    }),
  }
  const { tokens, claims } = await signInWith(licet, bound)
  assert.equal(tokens?.['token_type'], 'DPoP')
  assert.equal(claims?.['cnf'].jkt, key.thumbprint)
  assert.equal((await signInWith(licet, { clientId })).error, 'invalid_grant')
})
