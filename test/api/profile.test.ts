/**
 * The settings as an API: the profile, how the account is protected, and the acts that could take it away. And a client that is told to step up, follows
 * the challenge (RFC 9470) and gets through.
 */
import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { callApi, newOwner, type Owner, ownApp } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { png } from '../support/pictures.ts'
import { codeOf, keyOf } from '../support/totp.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
before(async () => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const attributes = [{ name: 'team', label: 'Team', choices: ['Research', 'Operations'] }]
  licet = await startLicet({ now: () => Date.now(), file: { profile: { attributes } } })
  app = await ownApp(licet)
})
after(async () => {
  mock.timers.reset()
  await licet.close()
})

const pass = (seconds: number) => mock.timers.setTime(Date.now() + seconds * 1000)
const ME = '/api/v1/accounts/me'

async function mailTo(email: string): Promise<string> {
  const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
  const mails = (await answer.json()) as { to: string; text: string }[]
  return mails.find(({ to }) => to === email)?.text ?? ''
}

/** The authenticator app of an owner, set up on the pages; the person's session is that strong then. */
async function withApp({ person }: Owner): Promise<string> {
  const setUp = await person.submit(await person.open('/settings/security'), {}, '/security/totp')
  const key = keyOf(setUp.body)
  await person.submit(setUp, { code: codeOf(key, Date.now()) }, '/totp/confirm')
  return key
}

/** A token for that scope out of an authorization that asks for more. */
async function tokenFor(person: Person, params: Record<string, string>, through: (page: Visit) => Promise<Visit>) {
  const verifier = 'v'.repeat(50)
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const query = new URLSearchParams({
    client_id: app.clientId,
    redirect_uri: app.redirectUri,
    response_type: 'code',
    scope: 'openid api:read api:write',
    code_challenge: Buffer.from(digest).toString('base64url'),
    code_challenge_method: 'S256',
    ...params,
  })
  const left = await through(await person.open(`${licet.issuer}/authorize?${query}`))
  const code = new URL(left.url).searchParams.get('code') ?? ''
  return (await app.redeem({ code, verifier })).body.access_token
}

test('a profile is read and changed field by field, and nothing else is', async () => {
  const ada = await newOwner(licet, { app, account: { attributes: { plan: 'free' } } })
  const changed = await ada.call('PATCH', ME, {
    json: { name: 'Ada L.', locale: 'fr', attributes: { team: 'Research' } },
  })
  assert.equal(changed.status, 200)
  const { name, locale, attributes } = changed.body
  assert.deepEqual({ name, locale, attributes }, { name: 'Ada L.', locale: 'fr', attributes: { team: 'Research' } })
  assert.deepEqual((await ada.call('GET', `${ME}/profile`)).body, changed.body)
  for (const json of [
    { role: 'administrator' },
    { email_verified: true },
    { attributes: { plan: 'pro' } },
    { attributes: { team: 'Board' } },
  ])
    assert.equal((await ada.call('PATCH', ME, { json })).status, 400, JSON.stringify(json))
  await ada.call('PATCH', ME, { json: { attributes: { team: null } } })
  assert.deepEqual((await licet.core.accounts.getById(ada.accountId)).attributes, { plan: 'free' })
})

test('a picture is put as a file and taken away', async () => {
  const ada = await newOwner(licet, { app })
  const put = (body: Buffer, type: string) =>
    sendOnWire(licet.issuer, 'PUT', `${ME}/picture`, {
      headers: { authorization: `Bearer ${ada.token}`, 'content-type': type },
      body,
    })
  assert.equal((await put(Buffer.from('<svg/>'), 'image/png')).status, 400)
  assert.equal((await put(Buffer.from('x'), 'text/html')).status, 415)
  const answer = await put(png(8, 8), 'image/png')
  assert.equal(answer.status, 200, answer.text)
  const { picture } = JSON.parse(answer.text)
  assert.equal((await fetch(picture)).headers.get('content-type'), 'image/png')
  assert.equal((await ada.call('DELETE', `${ME}/picture`)).status, 204)
  assert.equal((await fetch(picture)).status, 404)
})

test('how an account is protected is told, with what needs attention', async () => {
  const ada = await newOwner(licet, { app })
  const bare = (await ada.call('GET', `${ME}/security`)).body
  assert.deepEqual([bare.has_password, bare.totp_since, bare.passkeys], [true, null, []])
  assert.deepEqual(
    bare.attention.map(({ kind }: { kind: string }) => kind),
    ['no_second_factor'],
  )
  await withApp(ada)
  const strong = (await ada.call('GET', `${ME}/security`)).body
  assert.equal(strong.recovery_codes_left, 10)
  assert.ok(strong.totp_since)
})

test('an address moves by the code sent to it, a password changes and ends the token that asked, an account is closed', async () => {
  const ada = await newOwner(licet, { app })
  const email = `moved-${ada.email}`
  const asked = await ada.call('POST', `${ME}/email`, { json: { email } })
  assert.equal(asked.status, 202)
  const { id } = asked.body
  assert.equal((await ada.call('POST', `${ME}/email/confirm`, { json: { id, code: '000000' } })).status, 400)
  const code = /\b\d{6}\b/.exec(await mailTo(email))?.[0] ?? ''
  assert.equal((await ada.call('POST', `${ME}/email/confirm`, { json: { id, code } })).body.email, email)
  const held = await ada.call('POST', `${ME}/export`)
  assert.equal(held.body.account.email, email)
  assert.equal((await ada.call('POST', `${ME}/password`, { json: { password: 'short' } })).status, 400)
  const password = 'a new password of ada'
  assert.equal((await ada.call('POST', `${ME}/password`, { json: { password } })).status, 204)
  assert.equal((await ada.call('GET', ME)).status, 401)
  const bob = await newOwner(licet, { app })
  assert.equal((await bob.call('POST', `${ME}/deletion`, { json: { email: ada.email } })).status, 400)
  assert.equal((await bob.call('POST', `${ME}/deletion`, { json: { email: bob.email } })).status, 202)
  assert.equal((await licet.core.accounts.getById(bob.accountId)).status, 'leaving')
  assert.equal((await bob.call('GET', ME)).status, 401)
})

const GUARDED = ['password', 'email', 'email/confirm', 'export', 'deletion'].map((path) => `${ME}/${path}`)
const anyBody = { password: 'a password of eve', email: 'eve@example.test' }
const bodyFor = (path: string) =>
  path.endsWith('password')
    ? { password: anyBody.password }
    : path.endsWith('confirm')
      ? { id: 'x', code: '1' }
      : { email: anyBody.email }

test('attack: an app of somebody else, or a key, takes no account away, whatever it was allowed', async () => {
  const ada = await newOwner(licet, { app })
  const foreign = await registerApp(licet, { scopes: ['api:read', 'api:write'] })
  const theirs = await foreign.redeem(
    await foreign.obtainCode(ada.person, ada.email, { scope: 'openid api:read api:write' }),
  )
  for (const path of GUARDED) {
    const { status, body } = await callApi(licet.issuer, 'POST', path, {
      token: theirs.body.access_token,
      json: bodyFor(path),
    })
    assert.deepEqual([status, body.code], [403, 'forbidden'], path)
  }
  assert.equal((await licet.core.accounts.getById(ada.accountId)).email, ada.email)
})

test('MF7 attack: a token that is old, refreshed, or weaker than the account does nothing guarded; a client that follows the challenge gets through', async () => {
  const ada = await newOwner(licet, { app })
  const key = await withApp(ada)
  // The token is from before the second factor: strong enough in time, too weak in kind.
  const weak = await ada.call('POST', `${ME}/export`)
  assert.equal(weak.status, 401)
  assert.match(
    String(weak.headers['www-authenticate']),
    /error="insufficient_user_authentication".*acr_values="urn:licet:acr:2fa"/,
  )
  pass(16 * 60)
  const refreshed = (await app.refresh(ada.refreshToken)).body.access_token
  const refused = await callApi(licet.issuer, 'POST', `${ME}/export`, { token: refreshed })
  const told = String(refused.headers['www-authenticate'])
  assert.equal(refused.status, 401)
  const challenge = Object.fromEntries(
    [...told.matchAll(/(acr_values|max_age)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  )
  assert.ok(challenge['acr_values'] && challenge['max_age'], told)
  // What a client does with it: the same parameters to the authorization endpoint, then the call again.
  const proven = (values: Record<string, string>) =>
    tokenFor(ada.person, values, async (page) => {
      const second = await ada.person.submit(page, { email: ada.email, password: PASSWORD }, '/sign-in')
      return second.body.includes('name="code"')
        ? ada.person.submit(second, { code: codeOf(key, Date.now()) }, '/code')
        : second
    })
  const first = await callApi(licet.issuer, 'POST', `${ME}/export`, { token: await proven(challenge) })
  assert.equal(first.status, 200, JSON.stringify(first.body))
})

test('attack: a sign-in by recovery code, or one that has ended, makes no key and changes nothing guarded', async () => {
  const ada = await newOwner(licet, { app })
  const setUp = await ada.person.submit(await ada.person.open('/settings/security'), {}, '/security/totp')
  const codes = await ada.person.submit(setUp, { code: codeOf(keyOf(setUp.body), Date.now()) }, '/totp/confirm')
  const recovery = /[A-Z2-7]{5}-[A-Z2-7]{5}/.exec(codes.body)?.[0] ?? ''
  const thief = new Person(licet.issuer)
  const token = await tokenFor(thief, {}, async (page) => {
    const second = await thief.submit(page, { email: ada.email, password: PASSWORD }, '/sign-in')
    const way = await thief.open(/href="([^"]*way=recovery_code)"/.exec(second.body)?.[1] ?? '')
    return thief.submit(way, { recovery_code: recovery }, '/recovery-code')
  })
  const tries = [
    ['/api/v1/keys', { name: 'Mine', scopes: ['api:read'] }],
    [`${ME}/password`, { password: 'a password of the thief' }],
  ] as const
  for (const [path, json] of tries) {
    const { status, body } = await callApi(licet.issuer, 'POST', path, { token, json })
    assert.deepEqual([status, body.code], [401, 'insufficient_user_authentication'], path)
  }
  const { items } = (await ada.call('GET', '/api/v1/sessions')).body
  for (const { id } of items) await ada.call('DELETE', `/api/v1/sessions/${id}`)
  const late = await ada.call('POST', '/api/v1/keys', { json: { name: 'Late', scopes: ['api:read'] } })
  assert.equal(late.status, 401)
})
