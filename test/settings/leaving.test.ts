/**
 * Leaving and staying: the export, the deletion that closes at once, the way back, and the removal when the delay has passed.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

async function enter(more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const page = await person.submit(
    await person.open('/settings'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  return { account, person, page }
}

async function mailTo(email: string): Promise<{ text: string; links: string[] }> {
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as {
    to: string
    text: string
    links: string[]
  }[]
  const mail = mails.find(({ to }) => to === email)
  assert.ok(mail)
  return mail
}

test('everything held about an account comes as one file, and no secret with it', async () => {
  const { account, person, page } = await enter()
  const file = await person.submit(page, {}, '/settings/export')
  assert.match(file.headers.get('content-disposition') ?? '', /attachment/)
  const held = JSON.parse(file.body)
  assert.equal(held.account.email, account.email)
  assert.ok(held.sessions.length > 0 && held.activity.length > 0)
  assert.doesNotMatch(file.body, /argon2|passwordDigest|sealed/i)
})

test('an account is closed at once, and its owner takes it back by the link', async () => {
  const { account, person } = await enter()
  const page = await person.open('/settings/delete')
  const wrong = await person.submit(page, { email: 'other@example.test' }, '/settings/delete')
  assert.match(wrong.body, /role="alert"/)
  const closed = await person.submit(wrong, { email: account.email }, '/settings/delete')
  assert.match(textOf(closed.body), /account is closed/)
  assert.match((await person.open('/settings')).body, /name="password"/)
  const link = (await mailTo(account.email)).links.find((one) => one.includes('/leaving/')) ?? ''
  assert.match(textOf((await person.open(link)).body), /Keep your account/)
  assert.equal((await licet.core.accounts.getById(account.id)).status, 'leaving', 'opening the link does nothing')
  await person.submit(await person.open(link), {}, '/leaving/')
  assert.equal((await licet.core.accounts.getById(account.id)).status, 'active')
  assert.equal((await person.open(link)).status, 410)
})

test('somebody whose address is not verified is told so and verifies it from the settings', async () => {
  const { account, person, page } = await enter({ emailVerified: false })
  assert.match(textOf(page.body), /not verified|Not verified/)
  const code = await person.submit(await person.open('/settings/verify'), {}, '/verify-email')
  assert.equal(code.url, `${licet.issuer}/verify`)
  const digits = /\b\d{6}\b/.exec((await mailTo(account.email)).text)?.[0] ?? ''
  await person.submit(code, { code: digits }, '/verify')
  assert.equal((await licet.core.accounts.getById(account.id)).emailVerified, true)
  assert.equal((await person.open('/settings')).url, `${licet.issuer}/settings`, 'and stays signed in')
})
