/**
 * Attacks on refresh tokens (threats.md RT): in foreign hands, replaced and used again, kept for ever, kept after the account has ended them. The
 * rules for honest retries are in `refresh-retry.test.ts`. The clock is moved, never waited for.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type AppClient,
  type Body,
  basic,
  newPerson,
  nobody,
  registerApp,
  type SignedIn,
} from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

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

const reuses = async (accountId = who.accountId) =>
  (await licet.core.store.read(accountId, { limit: 200 })).items.filter(
    ({ record }) => record['event'] === 'refresh_token.reused',
  ).length

interface Mail {
  to: string
  subject: string
}
const mailTo = async (email: string): Promise<Mail[]> =>
  ((await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as Mail[]).filter(({ to }) => to === email)

test('RT1: a refresh token in the hands of another app is refused and does not harm its family', async () => {
  const tokens = await family()
  const other = await registerApp(licet)
  const spa = await registerApp(licet, { type: 'spa' })
  for (const thief of [other, spa]) {
    const { status, body } = await thief.refresh(tokens.refresh_token)
    assert.deepEqual([status, body.error], [400, 'invalid_grant'])
  }
  assert.ok(await isAlive(tokens.refresh_token))
})

test('RT2: a confidential app without its authentication is refused and the token stays whole', async () => {
  const tokens = await family()
  const unproven = await app.with(nobody).refresh(tokens.refresh_token)
  assert.deepEqual([unproven.status, unproven.body.error], [401, 'invalid_client'])
  const wrong = await app.with(basic(app.clientId, 'licet_cs_wrong')).refresh(tokens.refresh_token)
  assert.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client'])
  assert.ok(await isAlive(tokens.refresh_token))
})

test('RT3: a replaced token used after the window kills the family, is noted, and its owner is told by mail', async () => {
  const tokens = await family()
  const other = await family()
  const first = await app.refresh(tokens.refresh_token)
  const [notedBefore, mailBefore] = [await reuses(), (await mailTo(who.email)).length]
  passSeconds(61)
  const reused = await app.refresh(tokens.refresh_token)
  assert.deepEqual([reused.status, reused.body.error], [400, 'invalid_grant'])
  assert.equal((await app.refresh(first.body.refresh_token)).body.error, 'invalid_grant', 'the child is dead')
  assert.equal((await app.introspect(first.body.access_token)).body.active, false)
  assert.equal((await app.userinfo(first.body.access_token)).status, 401)
  assert.ok(await isAlive(other.refresh_token), 'another family of the same app lives')
  assert.equal((await reuses()) - notedBefore, 1)
  const mails = await mailTo(who.email)
  assert.equal(mails.length - mailBefore, 1)
  assert.ok(!JSON.stringify(mails).includes(tokens.refresh_token))
})

test('a refused refresh token has a reference that its owner alone reads, and an unknown one looks the same', async () => {
  const first = await family()
  const { refresh_token: next } = (await app.refresh(first.refresh_token ?? '')).body
  passSeconds(61)
  const reused = (await app.refresh(first.refresh_token ?? '')).body
  const ended = (await app.refresh(next ?? '')).body
  const unknown = (await app.refresh('never-issued')).body
  const shape = ({ error_ref: ref, ...rest }: Body) => ({ ...rest, ref: /^\w{10}$/.test(String(ref)) })
  assert.deepEqual(shape(ended), { error: 'invalid_grant', error_description: unknown.error_description, ref: true })
  assert.deepEqual(shape(unknown), shape(ended))
  assert.deepEqual(shape(reused), shape(ended))
  const { denials } = licet.core.keys
  const read = async (body: Body) => (await denials.getOwned(who.accountId, String(body['error_ref']))).reason
  assert.deepEqual([await read(reused), await read(ended)], ['family_revoked_by_reuse', 'grant_ended'])
  await assert.rejects(read(unknown), { code: 'not_found' })
  await assert.rejects(denials.getOwned('somebody-else', String(reused['error_ref'])), { code: 'not_found' })
  const kept = JSON.stringify((await denials.list(who.accountId)).items)
  for (const token of [first.refresh_token, next]) assert.ok(!kept.includes(token ?? '?'))
})

test('RT3: a replaced token in the hands of another app kills the family even inside the window', async () => {
  const tokens = await family()
  const thief = await registerApp(licet)
  const first = await app.refresh(tokens.refresh_token)
  const notedBefore = await reuses()
  const stolen = await thief.refresh(tokens.refresh_token)
  assert.deepEqual([stolen.status, stolen.body.error], [400, 'invalid_grant'])
  assert.equal((await app.refresh(first.body.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await reuses()) - notedBefore, 1)
})

test('RT3: an unauthenticated stranger with a replaced token cannot kill the family', async () => {
  const tokens = await family()
  const first = await app.refresh(tokens.refresh_token)
  assert.equal((await app.with(nobody).refresh(tokens.refresh_token)).status, 401)
  assert.ok(await isAlive(first.body.refresh_token))
})

test('RT3: grandparents stay dead: every earlier generation used after the window kills the family', async () => {
  const tokens = await family()
  const first = await app.refresh(tokens.refresh_token)
  passSeconds(61)
  const second = await app.refresh(first.body.refresh_token)
  assert.equal(second.status, 200)
  assert.equal((await app.refresh(tokens.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await app.refresh(second.body.refresh_token)).body.error, 'invalid_grant')
})

test('RT9: an unused refresh token ends after its idle lifetime', async () => {
  const tokens = await family()
  assert.equal(tokens['refresh_token_expires_in'], 30 * 86_400)
  passSeconds(30 * 86_400 + 16)
  const late = await app.refresh(tokens.refresh_token)
  passSeconds(-30 * 86_400 - 16)
  assert.equal(late.body.error, 'invalid_grant')
})

test('RT9: however often it is refreshed, a family ends at its absolute lifetime', async (t) => {
  let days = 0
  const fresh = await startLicet({ now: () => Date.now() + days * 86_400_000 })
  t.after(() => fresh.close())
  const client = await registerApp(fresh)
  const { person, email } = await newPerson(fresh)
  let { body } = await client.redeem(await client.obtainCode(person, email))
  const promised: number[] = []
  while (days < 80) {
    days += 20
    const answer = await client.refresh(body.refresh_token)
    assert.equal(answer.status, 200, `day ${days}: ${answer.text}`)
    body = answer.body
    promised.push(Math.round(Number(body['refresh_token_expires_in']) / 86_400))
  }
  assert.deepEqual(promised, [30, 30, 30, 10])
  days = 90.001
  assert.equal((await client.refresh(body.refresh_token)).body.error, 'invalid_grant')
})

test('RT10: after a password change or a sign-out everywhere every refresh token of the account is refused', async () => {
  for (const act of [
    (id: string) => licet.core.accounts.setPassword(operator, id, 'another battery staple horse'),
    (id: string) => licet.core.accounts.signOutEverywhere(operator, id),
    (id: string) => licet.core.accounts.disable(operator, id),
  ]) {
    const person = await newPerson(licet)
    const { body } = await app.redeem(await app.obtainCode(person.person, person.email))
    await act(person.accountId)
    assert.equal((await app.refresh(body.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.introspect(body.access_token)).body.active, false)
    assert.equal((await app.introspect(body.refresh_token)).body.active, false)
    assert.equal((await app.userinfo(body.access_token)).status, 401)
  }
})

test('RT10: signing in again right after signing out everywhere works', async () => {
  const person = await newPerson(licet)
  await app.redeem(await app.obtainCode(person.person, person.email))
  await licet.core.accounts.signOutEverywhere(operator, person.accountId)
  const fresh = await app.redeem(await app.obtainCode(person.person, person.email))
  assert.equal(fresh.status, 200)
  assert.equal((await app.introspect(fresh.body.access_token)).body.active, true)
})
