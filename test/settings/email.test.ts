/**
 * Changing the e-mail address from the settings: confirmed at the new address, announced at the old one, by whoever is signed in with the second factor.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'
import { codeOf, keyOf } from '../support/totp.ts'

let time = Date.now()
let licet: Licet
before(async () => {
  licet = await startLicet({ now: () => time, file: { mfa: { remember_device_days: 30 } } })
})
after(() => licet.close())

async function enter() {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const signIn = await person.open('/settings')
  await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person }
}

let made = 0
const newAddress = () => `new-${++made}-${time}@example.test`

interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly links: string[]
}

async function mailTo(email: string): Promise<Mail | undefined> {
  const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
  return ((await answer.json()) as Mail[]).find(({ to }) => to === email)
}

const digitsIn = (mail: Mail | undefined) => /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
const emailOf = async (id: string) => (await licet.core.accounts.getById(id)).email

test('a new address is confirmed by its code, the old one hears of it, and the person stays signed in', async () => {
  const { account, person } = await enter()
  const email = newAddress()
  const asked = await person.submit(await person.open('/settings/email'), { email }, '/settings/email')
  assert.equal(new URL(asked.url).pathname, '/settings/email/code')
  assert.equal(await emailOf(account.id), account.email, 'asking changes nothing')
  const wrong = await person.submit(asked, { code: '000000' }, '/email/code')
  assert.match(wrong.body, /role="alert"/)
  const done = await person.submit(wrong, { code: digitsIn(await mailTo(email)) }, '/email/code')
  assert.match(textOf(done.body), /email address was changed/)
  assert.equal(await emailOf(account.id), email)
  const told = await mailTo(account.email)
  assert.match(told?.subject ?? '', /was changed/)
  assert.doesNotMatch(told?.text ?? '', new RegExp(email))
  const again = await person.submit(asked, { code: '123456' }, '/email/code')
  assert.equal(again.status, 410)
})

test('attack: the link of a change does nothing for another account, nor by being opened', async () => {
  const { account, person } = await enter()
  const email = newAddress()
  await person.submit(await person.open('/settings/email'), { email }, '/settings/email')
  const link = (await mailTo(email))?.links[0] ?? ''
  assert.ok(link.startsWith(`${licet.issuer}/settings/email/`))
  const { person: eve, account: hers } = await enter()
  const shown = await eve.open(link)
  assert.match(textOf(shown.body), /another account/)
  const forged = {
    ...shown,
    body: shown.body.replaceAll('action="/settings/email"', `action="${new URL(link).pathname}"`),
  }
  assert.equal((await eve.submit(forged, {}, '/settings/email/')).status, 403)
  assert.deepEqual([await emailOf(account.id), await emailOf(hers.id)], [account.email, hers.email])
  const page = await person.open(link)
  assert.equal(await emailOf(account.id), account.email)
  await person.submit(page, {}, '/settings/email/')
  assert.equal(await emailOf(account.id), email)
})

test('LG2 attack: an address that has an account looks like a free one, and no code of its mail moves it', async () => {
  const { account, person } = await enter()
  const victim = await newAccount(licet.core)
  const free = await person.submit(await person.open('/settings/email'), { email: newAddress() }, '/settings/email')
  const taken = await person.submit(await person.open('/settings/email'), { email: victim.email }, '/settings/email')
  assert.deepEqual([taken.status, taken.url, textOf(taken.body)], [free.status, free.url, textOf(free.body)])
  assert.match((await mailTo(victim.email))?.subject ?? '', /in use/)
  await person.submit(taken, { code: '123456' }, '/email/code')
  assert.equal(await emailOf(account.id), account.email)
})

test('MF5 attack: a stolen password in a trusted browser changes no address, no factor, no password, and deletes nothing', async () => {
  const { account, person } = await enter()
  const setUp = await person.submit(await person.open('/settings/security'), {}, '/security/totp')
  const key = keyOf(setUp.body)
  await person.submit(setUp, { code: codeOf(key, time) }, '/totp/confirm')
  time += 60_000
  person.cookies.delete(`__Host-licet_session\n/`)
  for (const name of [...person.cookies.keys()]) if (name.includes('session')) person.cookies.delete(name)
  const challenge = await person.submit(
    await person.open('/settings'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  await person.submit(challenge, { code: codeOf(key, time), remember: 'yes' }, '/code')
  for (const name of [...person.cookies.keys()]) if (name.includes('session')) person.cookies.delete(name)
  // The thief: this browser, the password, no phone.
  const inside = await person.submit(
    await person.open('/settings/security'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  assert.equal(new URL(inside.url).pathname, '/settings/security', 'the trusted browser is let in')
  for (const [form, values] of [
    ['/totp/remove', {}],
    ['/recovery-codes', {}],
    ['/password', { password: 'a password of the thief' }],
  ] as const) {
    const asked = await person.submit(inside, values, form)
    assert.match(asked.body, /name="password"/, form)
    assert.match(asked.url, /\/interaction\//)
  }
  for (const path of ['/settings/email', '/settings/delete', '/settings/security/passkeys/new']) {
    const asked = await person.open(path)
    const still = await person.submit(asked, { email: account.email, password: PASSWORD }, '/sign-in')
    assert.match(still.body, /name="code"/, `${path} asks for the second factor`)
  }
})

test('a recovery code lets in and changes nothing; its holder is told what counts instead of being sent round', async () => {
  const { account, person } = await enter()
  const setUp = await person.submit(await person.open('/settings/security'), {}, '/security/totp')
  const codes = await person.submit(setUp, { code: codeOf(keyOf(setUp.body), time) }, '/totp/confirm')
  const recovery = /<li>(?:<code>)?([A-Z2-7]{5}-[A-Z2-7]{5})/.exec(codes.body)?.[1] ?? ''
  const other = new Person(licet.issuer)
  const challenge = await other.submit(
    await other.open('/settings'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  const way = await other.open(`${challenge.url.split('?')[0]?.replace(/\/sign-in$/, '')}?way=recovery_code`)
  const inside = await other.submit(way, { recovery_code: recovery }, '/recovery-code')
  assert.equal(new URL(inside.url).pathname, '/settings')
  const told = await other.open('/settings/email')
  assert.match(textOf(told.body), /A recovery code is not enough here/)
  assert.match(told.body, /href="\/authorize\?[^"]*prompt=login/)
})
