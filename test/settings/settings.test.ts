/**
 * The settings over real HTTP, with a browser without JavaScript: the way in, the profile, the sessions, the password, the activity.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey } from '../support/api.ts'
import { registerApp } from '../support/app-client.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

/** A person with a new account, at `path` after signing in. */
async function enter(path = '/settings', email?: string) {
  const account = email ? await licet.core.accounts.findByEmail(email) : await newAccount(licet.core)
  assert.ok(account)
  const person = new Person(licet.issuer)
  const signIn = await person.open(path)
  const page = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

test('who is not signed in is asked to sign in and comes back to the page', async () => {
  const { page, account } = await enter('/settings/activity?kind=sign_in')
  assert.equal(page.url, `${licet.issuer}/settings/activity?kind=sign_in`)
  assert.equal(page.status, 200)
  assert.ok(textOf(page.body).includes(account.email))
  assert.ok(textOf(page.body).includes('Signed in'))
})

test('a person changes name and language, and pages follow at once', async () => {
  const { person, page, account } = await enter()
  const saved = await person.submit(page, { name: 'Grace  Hopper', locale: 'de' }, '/settings/profile')
  assert.match(textOf(saved.body), /Gespeichert/)
  assert.equal((await licet.core.accounts.getById(account.id)).name, 'Grace Hopper')
  const refused = await person.submit(saved, { name: ' ' }, '/settings/profile')
  assert.match(refused.body, /aria-invalid="true"/)
})

test('a name that is markup is shown as text', async () => {
  const { person, page } = await enter()
  const saved = await person.submit(page, { name: '<img src=x>' }, '/settings/profile')
  assert.ok(!saved.body.includes('<img src=x>'))
})

test('every browser is listed, and another one is out once it is ended', async () => {
  const { person, account } = await enter()
  const other = await enter('/settings', account.email)
  const list = await person.open('/settings/sessions')
  const ends = formsOf(list.body).filter(({ action }) => action.endsWith('/end'))
  assert.equal(ends.length, 1)
  const ended = await person.submit(list, {}, '/end')
  assert.match(textOf(ended.body), /1 session was ended/)
  assert.match((await other.person.open('/settings')).body, /name="password"/)
  assert.equal((await person.open('/settings')).url, `${licet.issuer}/settings`)
})

test('a session tells the apps that it is signed in to, until they are disconnected', async () => {
  const { person, account } = await enter()
  const app = await registerApp(licet, { name: 'Field notes' })
  const apps = async () => /Signed in to ([\w ]+)/.exec(textOf((await person.open('/settings/sessions')).body))?.[1]
  assert.equal(await apps(), undefined)
  await app.obtainCode(person, account.email)
  assert.equal((await apps())?.startsWith('Field notes'), true)
  await licet.core.store.removeGroup('grant', 'accountId', account.id)
  assert.equal(await apps(), undefined)
})

test('changing the password signs every other browser out and keeps this one', async () => {
  const { person, account } = await enter()
  const other = await enter('/settings', account.email)
  const security = await person.open('/settings/security')
  const short = await person.submit(security, { password: 'short' }, '/password')
  assert.match(short.body, /role="alert"/)
  const done = await person.submit(short, { password: 'a much longer phrase 42' }, '/password')
  assert.match(textOf(done.body), /password was changed/)
  assert.equal((await person.open('/settings')).url, `${licet.issuer}/settings`)
  assert.match((await other.person.open('/settings')).body, /name="password"/)
})

test('the activity is filtered, paged and downloaded as CSV', async () => {
  const { person, page, account } = await enter()
  for (let count = 0; count < 30; count += 1) await licet.core.accounts.change({ kind: 'operator' }, account.id, {})
  await person.submit(page, { name: 'Ada' }, '/settings/profile')
  const first = await person.open('/settings/activity?kind=account')
  const older = /href="([^"]*cursor=[^"]*)"/.exec(first.body)?.[1]
  assert.ok(older)
  assert.ok(!textOf(first.body).includes('Signed in '))
  const second = await person.open(older.replaceAll('&amp;', '&'))
  assert.match(textOf(second.body), /Account created/)
  const csv = await person.open('/settings/activity.csv?kind=sign_in')
  assert.match(csv.headers.get('content-type') ?? '', /text\/csv/)
  assert.match(csv.body, /^at,event,outcome.*\r\n.*,sign_in\.done,done,/)
  assert.ok(!csv.body.includes('account.created'))
})

test('a reference leads its owner to the cause of a refusal, and nobody else', async () => {
  const { person, account } = await enter()
  const stranger = await enter()
  const { key } = await makeKey(licet, account.id, { allowedIps: ['203.0.113.0/24'] })
  const refused = await callApi(licet.issuer, 'GET', '/api/v1/verify', { token: key })
  const ref = String(refused.body.error_ref)
  const page = await person.open('/settings/activity')
  assert.match(page.body, /href="\/settings\/activity\/refused"/)
  for (const path of ['', `?ref=${ref}`, `?ref=+${ref}+`]) {
    const { body } = await person.open(`/settings/activity/refused${path}`)
    assert.match(textOf(body), /The network was not allowed/)
    assert.ok(body.includes(ref) && !body.includes(key))
    const other = await stranger.person.open(`/settings/activity/refused${path}`)
    assert.equal(other.status, 200)
    assert.doesNotMatch(textOf(other.body), /The network was not allowed/)
  }
  const nothing = textOf((await person.open('/settings/activity/refused?ref=0000000000')).body)
  const foreign = textOf((await stranger.person.open(`/settings/activity/refused?ref=${ref}`)).body)
  for (const text of [nothing, foreign]) assert.match(text, /There is no refusal of yours with this reference/)
})

test('signing out everywhere ends this browser too', async () => {
  const { person } = await enter()
  const list = await person.open('/settings/sessions')
  const out = await person.submit(list, {}, '/end-all')
  assert.match(textOf(out.body), /signed out/)
  assert.match((await person.open('/settings')).body, /name="password"/)
})

test('the language menu works on every page, whatever the page’s forms are bound to', async () => {
  const { person, page } = await enter()
  const german = await person.submit(page, { locale: 'de' }, '/language')
  assert.equal(german.status, 200)
  assert.match(german.body, /<html lang="de">/)
  const signIn = await new Person(licet.issuer).open('/settings')
  const other = new Person(licet.issuer)
  const there = await other.open('/settings')
  assert.ok(signIn.body.includes('name="password"'))
  assert.match((await other.submit(there, { locale: 'fr' }, '/language')).body, /<html lang="fr">/)
})
