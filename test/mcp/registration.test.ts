/**
 * Registration that cannot be flooded, bricked or fooled: an id has one spelling, a forgotten client comes back as a stranger, an ended one never does,
 * and the operator decides who may register at all.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { countStored } from '../support/authorize.ts'
import { type Licet, newAccount, operator, prepare, startLicet } from '../support/licet.ts'
import { askTokens, mcpResource, registerItself, signInWith, WEB_CALLBACK } from '../support/mcp-client.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
let time = Date.now()
before(async () => {
  licet = await startLicet({ now: () => time, file: { resources: [mcpResource] } })
})
after(() => licet.close())

const idOf = async (server: Licet, metadata: object = {}, headers: Record<string, string> = {}) =>
  String((await registerItself(server, metadata, headers)).body['client_id'])
const redeem = (clientId: string) =>
  askTokens(
    licet,
    { clientId },
    { grant_type: 'authorization_code', code: 'x', redirect_uri: WEB_CALLBACK, code_verifier: 'x'.repeat(43) },
  )

async function asksAgain(server: Licet, clientId: string, person: Person): Promise<boolean> {
  const params = { client_id: clientId, redirect_uri: WEB_CALLBACK, response_type: 'code', scope: 'mcp:read' }
  const query = new URLSearchParams({
    ...params,
    resource: mcpResource.identifier,
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  return (await person.open(`${server.issuer}/authorize?${query}`)).body.includes('name="decision"')
}

test('DC9: an id that was altered anywhere, lengthened, cut or respelled is nobody: 401 as OAuth JSON, and a page that says what to do', async () => {
  const id = await idOf(licet)
  const flipped = (at: number) => id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1)
  // Two last characters of base64url may decode to the same bytes.
  const twin = `${id.slice(0, -1)}${String.fromCharCode(id.charCodeAt(id.length - 1) + 1)}`
  const bent = [
    flipped(0),
    flipped(6),
    flipped(14),
    flipped(40),
    flipped(id.length - 1),
    twin,
    `${id}.x`,
    `${id}=`,
    `${id}A`,
    id.slice(0, -1),
    id.toUpperCase(),
  ]
  for (const clientId of bent.filter((one) => one !== id))
    assert.equal((await redeem(clientId)).error, 'invalid_client', clientId)
  assert.equal((await redeem(id)).error, 'invalid_grant', 'the id itself is known')
  const person = new Person(licet.issuer)
  const page = await person.send(
    'GET',
    `/authorize?client_id=${flipped(40)}&redirect_uri=${WEB_CALLBACK}&response_type=code`,
  )
  assert.equal(page.status, 400)
  assert.match(textOf(page.body), /Remove the connection in the app and add it again/)
  assert.equal(page.headers.get('location'), null)
})

test('a client that was pruned comes back by itself and asks again; what it was allowed before is not silently its own', async () => {
  const clientId = await idOf(licet)
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const first = await signInWith(licet, { clientId }, { person, email })
  assert.equal(await asksAgain(licet, clientId, person), false, 'allowed once, not asked again')
  await licet.core.apps.remove(operator, clientId)
  // Apps are looked up once a second.
  time += 1_100
  assert.equal(await asksAgain(licet, clientId, person), true)
  const refresh = { grant_type: 'refresh_token', refresh_token: String(first.tokens?.['refresh_token']) }
  assert.ok((await askTokens(licet, { clientId }, refresh)).tokens, 'what was begun before lives its own life')
  assert.ok((await signInWith(licet, { clientId }, { person, email })).tokens)
})

test('an app that nobody allowed for long is forgotten; a suspended one is not, and stays refused', async (t) => {
  let then = Date.now()
  const moving = await startLicet({
    now: () => then,
    file: { resources: [mcpResource], dynamic_registration: { forget_after: '10d' } },
  })
  t.after(() => moving.close())
  const [forgotten, suspended] = [await idOf(moving), await idOf(moving)]
  for (const clientId of [forgotten, suspended]) assert.ok((await signInWith(moving, { clientId })).tokens)
  await moving.core.apps.suspend(operator, suspended, 'phishing')
  assert.equal(await countStored(moving.core.store, 'app'), 2)
  then += 11 * 86_400_000
  assert.equal(await countStored(moving.core.store, 'app'), 1)
  assert.ok((await signInWith(moving, { clientId: forgotten })).tokens, 'it came back')
  assert.ok((await signInWith(moving, { clientId: suspended })).page, 'it did not')
})

test('RC: deleting itself is for ever, and twenty at once delete once', async () => {
  const { body } = await registerItself(licet)
  const [clientId, token] = [String(body['client_id']), String(body['registration_access_token'])]
  assert.ok((await signInWith(licet, { clientId })).tokens)
  const remove = () =>
    fetch(String(body['registration_client_uri']), { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
  const statuses = (await Promise.all(Array.from({ length: 20 }, remove))).map(({ status }) => status)
  assert.ok(
    statuses.every((status) => status === 204 || status === 401),
    statuses.join(),
  )
  assert.ok(statuses.includes(204))
  assert.ok((await signInWith(licet, { clientId })).page)
  assert.equal((await redeem(clientId)).error, 'invalid_client')
})

test('attack: a suspended client does not free itself through its own management address, nor does one that races its own end', async () => {
  const { body } = await registerItself(licet)
  const clientId = String(body['client_id'])
  assert.ok((await signInWith(licet, { clientId })).tokens)
  await licet.core.apps.suspend(operator, clientId, 'phishing')
  time += 1_100
  const headers = { authorization: `Bearer ${body['registration_access_token']}`, 'content-type': 'application/json' }
  const metadata = JSON.stringify({ client_id: clientId, redirect_uris: [WEB_CALLBACK], client_name: 'Somebody nice' })
  const change = () => fetch(String(body['registration_client_uri']), { method: 'PUT', headers, body: metadata })
  assert.equal((await change()).status, 403)
  time += 1_100
  assert.ok((await signInWith(licet, { clientId })).page, 'it is refused as before')
  const suspended = await licet.core.apps.getById(clientId)
  assert.deepEqual([suspended.suspended?.reason, suspended.name], ['phishing', 'Test client'])
  await licet.core.apps.resume(operator, clientId)
  time += 1_100
  const end = () => fetch(String(body['registration_client_uri']), { method: 'DELETE', headers })
  await Promise.all([change(), change(), end(), change(), change(), change()])
  assert.equal(await licet.core.apps.find(clientId), undefined, 'what was ended stays ended')
})

test('DC5: changed redirect URIs are asked about, and do not revive what an older face was allowed elsewhere', async () => {
  const { body } = await registerItself(licet)
  const [clientId, token] = [String(body['client_id']), String(body['registration_access_token'])]
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const elsewhere = { resource: undefined, scope: 'data:write' }
  assert.ok(
    (await signInWith(licet, { clientId }, { person, email, params: elsewhere, tokenParams: { resource: undefined } }))
      .tokens,
  )
  const changed = await fetch(String(body['registration_client_uri']), {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [WEB_CALLBACK, 'https://thief.example.test/cb'],
      token_endpoint_auth_method: 'none',
    }),
  })
  assert.equal(changed.status, 200)
  assert.equal(await asksAgain(licet, clientId, person), true)
  assert.ok((await signInWith(licet, { clientId }, { person, email })).tokens)
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: WEB_CALLBACK,
    response_type: 'code',
    scope: 'data:write',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  assert.match((await person.open(`${licet.issuer}/authorize?${query}`)).body, /name="decision"/)
})

test('DC1: with policy token nobody registers without one; tokens are digests in the store, expire, and end when they are revoked', async (t) => {
  let then = Date.now()
  const { directory } = await prepare()
  const file = join(directory, 'tokens')
  const written = 'a-token-that-the-operator-wrote-into-a-file'
  writeFileSync(file, `${written}\n\n`)
  const closed = await startLicet({
    now: () => then,
    file: { dynamic_registration: { policy: 'token', tokens_file: file } },
  })
  t.after(() => closed.close())
  const status = async (token?: string) =>
    (await registerItself(closed, {}, token === undefined ? {} : { authorization: `Bearer ${token}` })).status
  const made = await closed.core.initialTokens.create(operator, { name: 'CI', expiresInSeconds: 3600 })
  assert.deepEqual([await status(), await status('wrong'), await status(`${made.token}x`)], [401, 401, 401])
  assert.deepEqual([await status(made.token), await status(made.token), await status(written)], [201, 201, 201])
  const { items } = await closed.core.store.list('registration_token')
  assert.ok(!JSON.stringify(items).includes(made.token))
  then += 3_601_000
  assert.equal(await status(made.token), 401)
  const other = await closed.core.initialTokens.create(operator, { name: 'Laptop' })
  assert.deepEqual(
    (await closed.core.initialTokens.list()).map(({ name }) => name),
    ['Laptop'],
  )
  await closed.core.initialTokens.revoke(operator, other.id)
  assert.equal(await status(other.token), 401)
})

test('closed, there is no registration and no word of it in discovery', async (t) => {
  const closed = await startLicet({ file: { dynamic_registration: { policy: 'off' } } })
  t.after(() => closed.close())
  const answer = await fetch(`${closed.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  assert.equal(answer.status, 404)
  const metadata = (await (await fetch(`${closed.issuer}/.well-known/oauth-authorization-server`)).json()) as object
  assert.ok(!('registration_endpoint' in metadata))
  const { clientId } = { clientId: await idOf(licet) }
  assert.ok((await signInWith(closed, { clientId })).page, 'ids of before are not opened any more')
})

test('DC1: one address registers five times a minute and is told when again; a thousand registrations leave every kind as it was', async (t) => {
  const limited = await startLicet({ file: { rate_limits: { registration_address: '5/1m' } } })
  t.after(() => limited.close())
  const statuses: number[] = []
  for (let round = 0; round < 6; round++) statuses.push((await registerItself(limited)).status)
  assert.deepEqual(statuses, [201, 201, 201, 201, 201, 429])
  const before = await countStored(licet.core.store)
  for (let round = 0; round < 20; round++)
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => registerItself(licet, { client_name: `Flood ${round} ${index}` })),
    )
  assert.equal(await countStored(licet.core.store), before)
})

test('an app that asks to be bound to a DPoP key is: a token without a proof is refused', async () => {
  const { body } = await registerItself(licet, { dpop_bound_access_tokens: true })
  assert.equal(body['dpop_bound_access_tokens'], true)
  assert.equal((await signInWith(licet, { clientId: String(body['client_id']) })).error, 'invalid_grant')
})
