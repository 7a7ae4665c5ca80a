/**
 * The testing entry as somebody else's suite uses it, by the name the package gives it: a server in memory, minted tokens, tokens that must be refused.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { createResourceServer } from 'licet/resource-server'
import { startLicet, type TestLicet } from 'licet/testing'

const RESOURCE = 'https://notes.example.test'
let licet: TestLicet

before(async () => {
  licet = await startLicet({
    settings: { resources: [{ identifier: RESOURCE, name: 'Notes', scopes: ['data:read'] }] },
  })
})
after(() => licet?.close())

const verdictOn = (token: string, audience = RESOURCE) =>
  createResourceServer({ issuer: licet.issuer, audience }).check(
    { method: 'GET', url: `${RESOURCE}/all`, headers: { authorization: `Bearer ${token}` } },
    { scopes: ['data:read'] },
  )

test('a minted token is verified by the published keys, with what was asked to stand in it', async () => {
  const verdict = await verdictOn(
    await licet.mintAccessToken({
      sub: 'ada',
      clientId: 'notes-cli',
      audience: RESOURCE,
      scope: ['data:read', 'data:write'],
      acr: 'phr',
      claims: { plan: 'pro' },
    }),
  )
  assert.ok(verdict.ok)
  const { sub, client_id, scope, acr, plan } = verdict.claims as Record<string, unknown>
  assert.deepEqual(
    { sub, client_id, scope, acr, plan },
    { sub: 'ada', client_id: 'notes-cli', scope: 'data:read data:write', acr: 'phr', plan: 'pro' },
  )
})

test('JW1 JW3 JW7 TK12: every bad token is refused by the kit, and by the server itself', async () => {
  const bad = Object.entries(await licet.mintBadTokens({ audience: RESOURCE, scope: 'data:read' }))
  assert.ok(bad.length >= 12)
  for (const [name, token] of bad) assert.equal((await verdictOn(token)).ok, false, name)
  const atTheServer = Object.entries(await licet.mintBadTokens({ scope: 'api:read' }))
  for (const [name, token] of atTheServer) {
    const answer = await fetch(`${licet.issuer}/api/v1/accounts/me`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(answer.status, 401, name)
  }
})

test('accounts, apps and tokens of the running server are the real ones', async () => {
  const account = await licet.createAccount({ name: 'Grace Hopper' })
  const app = await licet.createApp({ scopes: ['api:read'] })
  const token = await licet.mintAccessToken({ sub: account.id, clientId: app.clientId, scope: 'api:read' })
  const answer = await fetch(`${licet.issuer}/api/v1/accounts/me`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(answer.status, 200)
  const { account: shown } = (await answer.json()) as { account: { name: string } }
  assert.equal(shown.name, 'Grace Hopper')

  const issued = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app.clientId}:${app.clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  assert.equal(issued.status, 200)
  assert.deepEqual(await licet.mails(), [])
})

test('nothing is written to disk, and two servers share nothing', async () => {
  assert.ok(!readdirSync(process.cwd()).some((name) => name.includes(':memory:')))
  await using other = await startLicet()
  const token = await licet.mintAccessToken({ scope: 'data:read' })
  const verdict = await createResourceServer({ issuer: other.issuer, audience: other.audience }).check({
    method: 'GET',
    url: other.audience,
    headers: { authorization: `Bearer ${token}` },
  })
  assert.equal(verdict.ok, false)
})

test('settings that are wrong are told by their names', async () => {
  await assert.rejects(startLicet({ settings: { resources: [{ identifier: 'no uri' }] } }), /resources\[0\]/)
})
