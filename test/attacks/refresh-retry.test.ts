/**
 * The retry rules of the contract to the letter (threats.md RT7, RT8): a lost answer is given again for the same app, scopes, resource and key;
 * asked for anything else it is refused and the family lives. The clock is moved, never waited for.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AppClient, type Body, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { dpop, newKey } from '../support/proofs.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
let offsetMs = 0
const MCP = 'https://mcp.example.test/mcp'
before(async () => {
  licet = await startLicet({
    now: () => Date.now() + offsetMs,
    file: {
      resources: [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }],
    },
  })
  app = await registerApp(licet, { scopes: ['data:read'], optionalScopes: ['data:write', 'mcp:read'] })
  who = await newPerson(licet)
})
after(() => licet.close())

const passSeconds = (seconds: number) => {
  offsetMs += seconds * 1000
}

const SCOPE = 'openid data:read data:write'

async function family(client = app, params: Record<string, string> = { scope: SCOPE }): Promise<Body> {
  const { status, body, text } = await client.redeem(await client.obtainCode(who.person, who.email, params))
  assert.equal(status, 200, text)
  return body
}

async function isAlive(token: string, client = app, params = {}): Promise<boolean> {
  return (await client.refresh(token, params)).status === 200
}

test('RT7: a retry inside the window gets the same answer again, as often as it is asked', async () => {
  const tokens = await family()
  const first = await app.refresh(tokens.refresh_token)
  passSeconds(30)
  const second = await app.refresh(tokens.refresh_token)
  passSeconds(29)
  const third = await app.refresh(tokens.refresh_token)
  assert.equal(first.status, 200)
  assert.equal(second.text, first.text)
  assert.equal(third.text, first.text)
  assert.equal(second.headers['cache-control'], 'no-store')
  assert.ok(await isAlive(first.body.refresh_token))
})

test('RT7: a retry still gets its answer after the child was used: the window belongs to the parent', async () => {
  const tokens = await family()
  const first = await app.refresh(tokens.refresh_token)
  const next = await app.refresh(first.body.refresh_token)
  assert.equal(next.status, 200)
  assert.equal((await app.refresh(tokens.refresh_token)).text, first.text)
  assert.ok(await isAlive(next.body.refresh_token))
})

for (const [what, bend] of Object.entries<Record<string, string>>({
  'fewer scopes': { scope: 'openid data:read' },
  'more scopes': { scope: `${SCOPE} mcp:read` },
  'another resource': { resource: MCP },
  'an unknown resource': { resource: 'https://unknown.example.test' },
})) {
  test(`RT8: a retry inside the window that asks for ${what} is invalid_grant, and the family lives`, async () => {
    const tokens = await family()
    const first = await app.refresh(tokens.refresh_token)
    const bent = await app.refresh(tokens.refresh_token, bend)
    assert.deepEqual([bent.status, bent.body.error], [400, 'invalid_grant'])
    assert.equal((await app.refresh(tokens.refresh_token)).text, first.text, 'the honest retry still works')
    assert.ok(await isAlive(first.body.refresh_token), 'the family lives')
  })
}

test('RT8: a retry with another DPoP key, or without one, is invalid_grant, and the family lives', async () => {
  const spa = await registerApp(licet, { type: 'spa', optionalScopes: ['data:write'] })
  const [mine, theirs] = [await newKey(), await newKey()]
  const url = `${licet.issuer}/token`
  const proven = async (key = mine) => ({ headers: { dpop: await dpop(key, url) } })
  for (const client of [spa, app]) {
    const pending = await client.obtainCode(who.person, who.email, { scope: SCOPE })
    const { body } = await client.redeem(pending, {}, await proven())
    const first = await client.refresh(body.refresh_token, {}, await proven())
    assert.equal(first.status, 200, first.text)
    for (const sending of [await proven(theirs), {}]) {
      const bent = await client.refresh(body.refresh_token, {}, sending)
      assert.equal(bent.status, 400)
      assert.equal(bent.body.error, 'invalid_grant', bent.text)
    }
    const again = await client.refresh(body.refresh_token, {}, await proven())
    assert.equal(again.text, first.text, 'a new proof of the same key is the same retry')
    assert.equal((await client.refresh(first.body.refresh_token, {}, await proven())).status, 200)
  }
})

test('RT8: refreshing never widens scopes, changes the resource or the key, and a refusal burns nothing', async () => {
  const spa = await registerApp(licet, { type: 'spa', optionalScopes: ['data:write'] })
  const tokens = await family(app, { scope: 'openid data:read' })
  const wider = await app.refresh(tokens.refresh_token, { scope: 'openid data:read data:write' })
  assert.deepEqual([wider.status, wider.body.error], [400, 'invalid_scope'])
  const elsewhere = await app.refresh(tokens.refresh_token, { resource: MCP })
  assert.deepEqual([elsewhere.status, elsewhere.body.error], [400, 'invalid_target'])
  assert.ok(await isAlive(tokens.refresh_token))

  const [mine, theirs] = [await newKey(), await newKey()]
  const url = `${licet.issuer}/token`
  const bound = await spa.redeem(
    await spa.obtainCode(who.person, who.email),
    {},
    { headers: { dpop: await dpop(mine, url) } },
  )
  for (const headers of [{ dpop: await dpop(theirs, url) }, {}]) {
    const refused = await spa.refresh(bound.body.refresh_token, {}, { headers })
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant'])
  }
  const mineAgain = await spa.refresh(bound.body.refresh_token, {}, { headers: { dpop: await dpop(mine, url) } })
  assert.equal(mineAgain.status, 200, mineAgain.text)
})
