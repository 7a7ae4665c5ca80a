/**
 * Attacks on the second factor and on a sign-in that is half finished (threats.md MF), over real HTTP.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Account } from '../../src/accounts/account.ts'
import { registerApp } from '../support/app-client.ts'
import { authorizeUrl, locationOf } from '../support/authorize.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'
import { codeOf, keyOf } from '../support/totp.ts'

let licet: Licet
let clock = Date.now()
before(async () => {
  licet = await startLicet({ file: { mfa: { policy: 'required' } }, now: () => clock })
})
after(() => licet.close())

/** The next time step: a code of the last one is used up. */
function nextCode(key: string): string {
  clock += 30_000
  return codeOf(key, clock)
}

/** The address of the interaction whose form was answered. */
const interactionOf = ({ url }: Visit): string => url.split('/').slice(0, 5).join('/')

/** An account that has set up its authenticator app while signing in. */
async function enrolled(): Promise<{ account: Account; person: Person; key: string; codes: string[]; page: Visit }> {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const setUp = await passwordGiven(person, account)
  const key = keyOf(setUp.body)
  const shown = await person.submit(setUp, { code: nextCode(key) }, '/enrol')
  const codes = [...shown.body.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, code = '']) => code)
  const page = await person.submit(shown, {}, '/continue')
  return { account, person, key, codes, page }
}

async function passwordGiven(person: Person, account: Account): Promise<Visit> {
  const signIn = await person.open('/settings')
  return person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
}

const isInside = (visit: Visit): boolean => visit.status === 200 && visit.url === `${licet.issuer}/settings`

test('where the policy demands it, a second factor is set up during the sign-in, and ten recovery codes are shown once', async () => {
  const { codes, page, account, person } = await enrolled()
  assert.equal(codes.length, 10)
  assert.ok(isInside(page), page.url)
  const again = await passwordGiven(new Person(licet.issuer), account)
  assert.match(textOf(again.body), /six digits/)
  assert.ok(!(await person.open('/settings/security')).body.includes(codes[0] ?? ''))
})

test('MF1: after the password and before the code nobody is signed in, at no door', async () => {
  const { account } = await enrolled()
  const thief = new Person(licet.issuer)
  const half = await passwordGiven(thief, account)
  assert.match(half.body, /name="code"/)
  for (const path of ['/settings', '/settings/security', '/settings/sessions', '/settings/activity.csv'])
    assert.match((await thief.open(path)).body, /name="password"/, path)
  const uid = interactionOf(half).split('/').at(-1)
  const resumed = await thief.open(`/authorize/${uid}`)
  assert.match(resumed.body, /name="password"/)
})

test('MF1: a step that was skipped is asked for again: continue, consent and enrol do nothing for a half sign-in', async () => {
  const { account } = await enrolled()
  const thief = new Person(licet.issuer)
  const half = await passwordGiven(thief, account)
  const csrf = /name="csrf" value="([^"]+)"/.exec(half.body)?.[1] ?? ''
  for (const step of ['continue', 'consent', 'enrol']) {
    const fields: [string, string][] = [
      ['csrf', csrf],
      ['decision', 'allow'],
      ['code', '000000'],
    ]
    const answer = await thief.follow(await thief.send('POST', `${interactionOf(half)}/${step}`, fields))
    assert.ok(!isInside(answer), step)
    assert.match(answer.body, /name="code"|name="password"/, step)
  }
  assert.match((await thief.open('/settings')).body, /name="password"/)
})

test('MF2: one code opens one sign-in, also in another browser', async () => {
  const { account, key } = await enrolled()
  const code = nextCode(key)
  const [first, second] = [new Person(licet.issuer), new Person(licet.issuer)]
  const pages = [await passwordGiven(first, account), await passwordGiven(second, account)] as const
  const answers = await Promise.all([
    first.submit(pages[0], { code }, '/code'),
    second.submit(pages[1], { code }, '/code'),
  ])
  assert.equal(answers.filter(isInside).length, 1)
})

test('MF3: five wrong codes pause the account’s codes, in every browser and for recovery codes too, and say for how long', async () => {
  const { account, key, codes } = await enrolled()
  for (let guess = 0; guess < 5; guess += 1) {
    const person = new Person(licet.issuer)
    const answer = await person.submit(await passwordGiven(person, account), { code: '000000' }, '/code')
    assert.match(answer.body, /role="alert"/)
  }
  const person = new Person(licet.issuer)
  const page = await passwordGiven(person, account)
  const limited = await person.submit(page, { code: nextCode(key) }, '/code')
  assert.equal(limited.status, 429)
  assert.ok(Number(limited.headers.get('retry-after')) > 0)
  const other = await person.open(`${interactionOf(page)}?way=recovery_code`)
  assert.equal((await person.submit(other, { recovery_code: codes[0] ?? '' }, '/recovery-code')).status, 429)
})

test('MF4: a recovery code works once, for its own account only, and does not count as a fresh sign-in for sensitive acts', async () => {
  const { account, codes } = await enrolled()
  const stranger = await enrolled()
  const [code = ''] = codes
  const attempt = async (who: Account): Promise<[Person, Visit]> => {
    const person = new Person(licet.issuer)
    const page = await passwordGiven(person, who)
    const other = await person.open(`${interactionOf(page)}?way=recovery_code`)
    return [person, await person.submit(other, { recovery_code: code }, '/recovery-code')]
  }
  assert.ok(!isInside((await attempt(stranger.account))[1]))
  const [person, inside] = await attempt(account)
  assert.ok(isInside(inside), inside.url)
  assert.ok(!isInside((await attempt(account))[1]))
  const security = await person.open('/settings/security')
  const asked = await person.submit(security, { password: 'another long phrase 7' }, '/password')
  assert.match(textOf(asked.body), /A recovery code is not enough here/)
})

test('MF6: an app that asks for a passkey of somebody who has none is told of on a page that leads to one and back', async () => {
  const { account, key } = await enrolled()
  const app = await registerApp(licet)
  const person = new Person(licet.issuer)
  const signIn = await person.open(authorizeUrl(app, { acr_values: 'phr' }))
  const half = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  const asked = await person.submit(half, { code: nextCode(key) }, '/code')
  assert.match(asked.body, /href="\/settings\/security\/passkeys\/new"/)
  assert.ok(!asked.body.includes('name="code"'))
  const still = await person.submit(asked, {}, '/continue')
  assert.match(still.body, /href="\/settings\/security\/passkeys\/new"/)
  const back = await person.submit(still, {}, '/deny')
  assert.equal(new URL(back.url).searchParams.get('error'), 'access_denied')
})

test('MF5: a form that sets up a factor is refused without the page’s token', async () => {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const setUp = await passwordGiven(person, account)
  const answer = await person.send('POST', `${interactionOf(setUp)}/enrol`, [
    ['code', codeOf(keyOf(setUp.body), clock)],
  ])
  assert.equal(answer.status, 403)
})

test('LG10: an empty form, a missing field and a list where a text belongs sign nobody in', async () => {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const page = await person.open('/settings')
  const empty = await person.submit(page, { email: '', password: '' }, '/sign-in')
  assert.match(empty.body, /role="alert"/)
  const twice = await person.submit(page, { email: account.email, password: [PASSWORD, 'x'] }, '/sign-in')
  assert.equal(twice.status, 400)
})

test('MF1 attack: a session from before the policy, or whose factor is gone, opens no door until a second factor is set up', async () => {
  const { account, person } = await enrolled()
  await licet.core.store.remove('factors', account.id)
  const app = await registerApp(licet)
  const url = authorizeUrl(app)
  const silent = await person.send('GET', authorizeUrl(app, { prompt: 'none' }))
  assert.equal(new URL(locationOf(silent)).searchParams.get('error'), 'login_required')
  for (const path of ['/settings', '/settings/keys', '/settings/activity.csv', '/developer/apps', url]) {
    const asked = await person.open(path)
    assert.match(textOf(asked.body), /Confirm it is you/, path)
    const setUp = await person.submit(asked, { email: account.email, password: PASSWORD }, '/sign-in')
    assert.match(setUp.body, /id="totp-key"/, path)
  }
  const asked = await person.open(url)
  const setUp = await person.submit(asked, { email: account.email, password: PASSWORD }, '/sign-in')
  const codes = await person.submit(setUp, { code: nextCode(keyOf(setUp.body)) }, '/enrol')
  const consent = await person.submit(codes, {}, '/continue')
  assert.match(consent.body, /\/consent"/)
  assert.ok(isInside(await person.open('/settings')))
})

test('MF1 attack: a set-up begun with a stolen password is worth nothing once the owner has a second factor', async () => {
  const account = await newAccount(licet.core)
  const thief = new Person(licet.issuer)
  const waiting = await passwordGiven(thief, account)
  const thiefsKey = keyOf(waiting.body)
  const owner = new Person(licet.issuer)
  const own = await passwordGiven(owner, account)
  await owner.submit(own, { code: nextCode(keyOf(own.body)) }, '/enrol')
  const answer = await thief.submit(waiting, { code: nextCode(thiefsKey) }, '/enrol')
  assert.ok(!isInside(answer))
  assert.ok(!/<li><code>/.test(answer.body))
  assert.match((await thief.open('/settings')).body, /name="password"/)
})

test('MF1 attack: whoever has the password alone never reads the key that the owner is setting up', async () => {
  const account = await newAccount(licet.core)
  const [owner, thief] = [new Person(licet.issuer), new Person(licet.issuer)]
  const own = await passwordGiven(owner, account)
  const seen = await passwordGiven(thief, account)
  assert.notEqual(keyOf(seen.body), keyOf(own.body))
  assert.notEqual(keyOf((await thief.open(interactionOf(seen))).body), keyOf(own.body))
})
