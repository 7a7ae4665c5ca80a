/**
 * Attacks by apps that introduce themselves: making the server call somewhere, passing for somebody else, filling the store, reading what is not theirs
 * (threats.md DC, DO3, IR1). Hostile hosts of documents stand in test/mcp/documents.test.ts.
 */
import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { form } from '../support/app-client.ts'
import { countStored } from '../support/authorize.ts'
import { type Documents, startDocuments } from '../support/documents.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { askTokens, MCP, mcpResource, registerItself, signInWith, WEB_CALLBACK } from '../support/mcp-client.ts'
import { Person, textOf } from '../support/person.ts'
import { ASSERTION_TYPE, assertion, newKey } from '../support/proofs.ts'

const LOOPBACK = 'http://127.0.0.1:33418/callback'

let documents: Documents
let licet: Licet
before(async () => {
  documents = await startDocuments()
  licet = await startLicet({ file: { resources: [mcpResource], outbound: documents.outbound } })
})
after(async () => {
  await licet.close()
  await documents.close()
})

const authorizePath = (clientId: string, redirectUri: string) =>
  `/authorize?${form({ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', resource: MCP, scope: 'mcp:read', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })}`

test('DC2 DC11: nothing an app registers makes this server open a connection into its own network', async (t) => {
  let connections = 0
  const trap = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
  t.after(() => trap.close())
  const inside = `https://127.0.0.1:${(trap.address() as AddressInfo).port}/x`
  const closed = await startLicet({ file: { resources: [mcpResource] } })
  t.after(() => closed.close())
  const { body } = await registerItself(closed, {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: inside,
    logo_uri: inside,
    client_uri: inside,
    policy_uri: inside,
    sector_identifier_uri: inside,
    request_uris: [inside],
    backchannel_logout_uri: inside,
    initiate_login_uri: inside,
    software_statement: inside,
  })
  const clientId = String(body['client_id'])
  const key = await newKey()
  const prove = async (params: object) => ({
    params: {
      ...params,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await assertion(key, { clientId, issuer: closed.issuer }, { header: { kid: 'x' } }),
    },
  })
  assert.equal((await signInWith(closed, { clientId, prove })).error, 'invalid_client')
  assert.equal(connections, 0)
})

test('DC10 CS7: a program on the same computer that borrows the document of a known app is asked about every time, with a warning', async () => {
  const clientId = documents.publish('/known.json', {
    client_name: 'Known Editor',
    redirect_uris: ['http://127.0.0.1/callback'],
  })
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const first = await signInWith(licet, { clientId }, { person, email, params: { redirect_uri: LOOPBACK } })
  assert.ok(first.tokens)
  const again = await person.open(authorizePath(clientId, 'http://127.0.0.1:50001/callback'))
  assert.match(again.body, /name="decision"/)
  assert.match(textOf(again.body), /This app runs on your computer/)
  const silent = await person.send('GET', `${authorizePath(clientId, 'http://127.0.0.1:50001/callback')}&prompt=none`)
  assert.match(silent.headers.get('location') ?? silent.body, /consent_required|interaction_required/)
})

test('DC6: the name of a document is cleaned and inert, and its host stands beside it', async () => {
  const clientId = documents.publish('/named.json', {
    client_name: '\u202eelgooG<img src=x onerror=alert(1)>',
    logo_uri: 'https://evil.test/logo',
  })
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const page = await person.submit(
    await person.open(authorizePath(clientId, WEB_CALLBACK)),
    { email, password: PASSWORD },
    '/sign-in',
  )
  assert.ok(!page.body.includes('<img src=x') && !page.body.includes('\u202e') && !page.body.includes('evil.test'))
  assert.ok(textOf(page.body).includes(new URL(documents.origin).host))
})

test('DO3: floods of registrations and of addresses without a document leave nothing but what forgets itself within minutes', async () => {
  const kept = () =>
    countStored(licet.core.store, 'app', 'consent', 'grant', 'session', 'interaction', 'pushed_request')
  const before = await kept()
  const documentsBefore = await countStored(licet.core.store, 'client_document')
  await Promise.all(Array.from({ length: 100 }, (_, index) => registerItself(licet, { client_name: `Flood ${index}` })))
  for (let round = 0; round < 6; round++)
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        new Person(licet.issuer).send(
          'GET',
          authorizePath(`${documents.origin}/flood-${round}-${index}.json`, WEB_CALLBACK),
        ),
      ),
    )
  const failures = (await countStored(licet.core.store, 'client_document')) - documentsBefore
  assert.ok(failures > 50 && failures <= 60)
  assert.equal(await kept(), before)
  const { items } = await licet.core.store.list('client_document', { limit: 1000 })
  const soon = items.filter(({ value }) => !(value as { record?: object }).record)
  assert.ok(soon.every(({ expiresAt }) => (expiresAt ?? Number.POSITIVE_INFINITY) - Date.now() <= 60_000))
})

test('IR1: a client that has just registered itself learns nothing of the tokens of others', async () => {
  const victim = await signInWith(licet, { clientId: String((await registerItself(licet)).body['client_id']) })
  const { body } = await registerItself(licet, { token_endpoint_auth_method: 'client_secret_basic' })
  const authorization = `Basic ${Buffer.from(`${body['client_id']}:${body['client_secret']}`).toString('base64')}`
  for (const token of [victim.tokens?.['access_token'], victim.tokens?.['refresh_token']]) {
    const answer = await fetch(`${licet.issuer}/introspect`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: form({ token: String(token), step_up: 'true' }),
    })
    assert.deepEqual(await answer.json(), { active: false })
  }
  const refresh = { grant_type: 'refresh_token', refresh_token: String(victim.tokens?.['refresh_token']) }
  const identity = { clientId: String(victim.claims?.['client_id']) }
  assert.ok((await askTokens(licet, identity, refresh)).tokens, 'nor can it ask for a step-up of theirs')
})
