/**
 * Browsers that an account knows (threats.md LG3): a stranger's guesses do not lock them out, a new one is told, a trusted one is spared the code.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { codeOf, keyOf } from '../support/totp.ts'

let licet: Licet
let clock = Date.now()
before(async () => {
  licet = await startLicet({ now: () => clock, file: { mfa: { policy: 'required', remember_device_days: 7 } } })
})
after(() => licet.close())

const isInside = ({ status, url }: Visit): boolean => status === 200 && url === `${licet.issuer}/settings`

async function password(person: Person, email: string, given = PASSWORD): Promise<Visit> {
  return person.submit(await person.open('/settings'), { email, password: given }, '/sign-in')
}

/** Signs in for the first time, sets the app up; the key of it. */
async function enrol(person: Person, email: string): Promise<string> {
  const setUp = await password(person, email)
  const key = keyOf(setUp.body)
  clock += 30_000
  const codes = await person.submit(setUp, { code: codeOf(key, clock) }, '/enrol')
  assert.ok(isInside(await person.submit(codes, {}, '/continue')))
  return key
}

/** The browser without its sign-in: what it keeps besides. */
function signedOut(person: Person): Person {
  for (const key of person.cookies.keys()) if (key.includes('licet_session')) person.cookies.delete(key)
  return person
}

test('LG3: a stranger’s wrong guesses pause the account everywhere but in the browser its owner uses', async () => {
  const { email } = await newAccount(licet.core)
  const owner = new Person(licet.issuer)
  await enrol(owner, email)
  for (let guess = 0; guess < 6; guess += 1) await password(new Person(licet.issuer), email, 'wrong password here')
  assert.equal((await password(new Person(licet.issuer), email)).status, 429)
  assert.match((await password(signedOut(owner), email)).body, /name="code"/)
})

test('a browser is spared the code only after its owner asked for it, and not when a stronger sign-in is demanded', async () => {
  const { email } = await newAccount(licet.core)
  const owner = new Person(licet.issuer)
  const key = await enrol(owner, email)
  const asked = await password(signedOut(owner), email)
  assert.match(asked.body, /name="remember"/)
  clock += 30_000
  assert.ok(isInside(await owner.submit(asked, { code: codeOf(key, clock), remember: 'yes' }, '/code')))
  assert.ok(isInside(await password(signedOut(owner), email)), 'spared')
  assert.match((await password(new Person(licet.issuer), email)).body, /name="code"/, 'only in that browser')
  clock += 8 * 86_400_000
  assert.match((await password(signedOut(owner), email)).body, /name="code"/, 'only for that long')
})

test('a sign-in from a browser that is new to the account is told by mail', async () => {
  const { email } = await newAccount(licet.core)
  const key = await enrol(new Person(licet.issuer), email)
  clock += 2 * 86_400_000
  const stranger = new Person(licet.issuer)
  const asked = await password(stranger, email)
  assert.ok(isInside(await stranger.submit(asked, { code: codeOf(key, clock) }, '/code')))
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; subject: string }[]
  assert.ok(
    mails.some(({ to, subject }) => to === email && /new|sign-in/i.test(subject)),
    JSON.stringify(mails),
  )
})
