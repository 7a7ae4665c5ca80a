/**
 * An address that nobody has proven may be somebody else's: whoever signed up with it could act in that person's name. So such an account signs in and
 * proves its address, and lets no app in, approves no device, makes no key and registers no app (contract.md); it is told so, and comes back.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { authorizeUrl, locationOf } from '../support/authorize.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
let notes: AppClient
before(async () => {
  licet = await startLicet()
  notes = await registerApp(licet)
})
after(() => licet.close())

const HELD_BACK = /Confirm your email address first/

async function stranger() {
  const { email, id } = await newAccount(licet.core, undefined, { emailVerified: false })
  return { email, id, person: new Person(licet.issuer) }
}

const signIn = (person: Person, page: Visit, email: string): Promise<Visit> =>
  person.submit(page, { email, password: PASSWORD }, '/sign-in')

async function digitsTo(email: string): Promise<string> {
  const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
  const mails = (await answer.json()) as { to: string; text: string }[]
  return /\b\d{6}\b/.exec(mails.find(({ to }) => to === email)?.text ?? '')?.[0] ?? ''
}

test('attack: an account with an unproven address lets no app in, whatever form it sends; proven, it goes on where it was', async () => {
  const { email, id, person } = await stranger()
  const held = await signIn(person, await person.open(authorizeUrl(notes)), email)
  assert.match(textOf(held.body), HELD_BACK)
  // The form of a consent page, made up: the interaction and its token are real.
  const uid = new URL(held.url).pathname.split('/')[2] ?? ''
  const csrf = /name="csrf" value="([^"]+)"/.exec(held.body)?.[1] ?? ''
  const sent = await person.send('POST', `/interaction/${uid}/consent`, [
    ['csrf', csrf],
    ['scope', 'data:read'],
    ['decision', 'allow'],
  ])
  assert.match(textOf(sent.body), HELD_BACK)
  assert.doesNotMatch(sent.body, /http-equiv="refresh"/)
  const { items } = await licet.core.store.list('consent', { group: 'accountId', value: id, limit: 10 })
  assert.equal(items.length, 0)

  const code = await person.submit(held, {}, '/verify')
  assert.equal(code.url, `${licet.issuer}/verify`)
  const consent = await person.submit(code, { code: await digitsTo(email) }, '/verify')
  assert.equal(consent.url, `${licet.issuer}/interaction/${uid}`)
  const left = await person.submit(consent, { decision: 'allow', scope: 'data:read' }, '/consent')
  assert.ok(new URL(left.url).searchParams.get('code'), left.url)
})

test('attack: neither prompt=none nor a consent from before leads past the unproven address', async () => {
  const { email, person } = await stranger()
  await signIn(person, await person.open('/settings'), email)
  const silent = await person.send('GET', authorizeUrl(notes, { prompt: 'none' }))
  assert.equal(new URL(locationOf(silent)).searchParams.get('error'), 'consent_required')
  const proven = await newAccount(licet.core)
  const other = new Person(licet.issuer)
  await other.authorize(authorizeUrl(notes), { email: proven.email })
  const { items } = await licet.core.store.list<object>('consent', { group: 'accountId', value: proven.id, limit: 1 })
  await licet.core.store.update('account', proven.id, (record: object) => ({
    value: { ...record, emailVerified: false },
  }))
  assert.equal(items.length, 1)
  assert.match(textOf((await other.open(authorizeUrl(notes))).body), HELD_BACK)
})

test('attack: a device is not approved by an account with an unproven address', async () => {
  const television = await registerApp(licet, { type: 'device', name: 'Television' })
  const { email, person } = await stranger()
  const { body } = await television.post('/device_authorization', { scope: 'openid data:read' })
  const confirm = await person.submit(await person.open('/device'), { user_code: String(body['user_code']) }, '/device')
  const signing = await person.submit(confirm, { decision: 'allow' }, '/device')
  assert.match(textOf((await signIn(person, signing, email)).body), HELD_BACK)
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const polled = await television.post('/token', { grant_type, device_code: String(body['device_code']) })
  assert.equal(polled.body.error, 'authorization_pending')
})

test('an account with an unproven address is told so where keys and apps are made, and comes back there', async () => {
  const { email, person } = await stranger()
  await signIn(person, await person.open('/settings'), email)
  for (const path of ['/settings/keys/new', '/settings/tokens/new', '/developer/apps/new']) {
    const held = await person.open(path)
    assert.equal(new URL(held.url).pathname, '/settings/verify', path)
    assert.match(textOf(held.body), HELD_BACK)
  }
  const code = await person.submit(await person.open('/settings/keys/new'), {}, '/verify-email')
  const back = await person.submit(code, { code: await digitsTo(email) }, '/verify')
  assert.equal(back.url, `${licet.issuer}/settings/keys/new`)
})

test('attack: the way back after proving an address leads to no other site', async () => {
  const { email, person } = await stranger()
  await signIn(person, await person.open('/settings'), email)
  for (const evil of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
    const held = await person.open(`/settings/verify?return_to=${encodeURIComponent(evil)}`)
    assert.match(held.body, /name="return_to" value="\/settings">\s*<button class="primary/)
  }
  const held = await person.open('/settings/verify')
  const code = await person.submit(held, { return_to: '//evil.example' }, '/verify-email')
  const back = await person.press(code, { code: await digitsTo(email) }, '/verify')
  assert.equal(back.headers.get('location'), '/settings')
})

test('a sign-up begun at an app goes on there once the address is proven', async () => {
  const person = new Person(licet.issuer)
  const signingIn = await person.open(authorizeUrl(notes))
  const link = /href="(\/signup\?interaction=[^"]+)"/.exec(signingIn.body)?.[1] ?? ''
  const email = `new-${Date.now()}@example.test`
  const form = await person.open(link)
  const wrong = await person.submit(form, { name: 'Grace', email, password: 'short' }, '/signup')
  const code = await person.submit(wrong, { name: 'Grace', email, password: PASSWORD }, '/signup')
  const done = await person.submit(code, { code: await digitsTo(email) }, '/verify')
  const next = new RegExp(`href="(${new URL(signingIn.url).pathname})"`).exec(done.body)?.[1]
  assert.ok(next, textOf(done.body))
  const consent = await signIn(person, await person.open(next), email)
  assert.match(consent.body, /\/consent"/)
})
