/**
 * Sign-up, verification and recovery over real HTTP and what an attacker does to them (threats.md LG2, LG8, LG9, LG12). Mails are read where the
 * development server keeps them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly links: readonly string[]
}

async function mailsTo(email: string): Promise<Mail[]> {
  const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
  return ((await answer.json()) as Mail[]).filter(({ to }) => to === email)
}

const NEW = 'quiet rivers bend slowly 71'
const isInside = ({ status, url }: Visit): boolean => status === 200 && url === `${licet.issuer}/settings`

async function signUp(email: string, password = NEW): Promise<{ person: Person; page: Visit }> {
  const person = new Person(licet.issuer)
  const form = await person.open('/signup')
  return { person, page: await person.submit(form, { name: 'Ada', email, password }, '/signup') }
}

async function signIn(email: string, password: string): Promise<Visit> {
  const person = new Person(licet.issuer)
  return person.submit(await person.open('/settings'), { email, password }, '/sign-in')
}

async function recoveryLink(email: string): Promise<string> {
  const person = new Person(licet.issuer)
  await person.submit(await person.open('/recover'), { email }, '/recover')
  const link = (await mailsTo(email))[0]?.links.find((one) => one.includes('/recover/'))
  assert.ok(link, 'a mail with a link')
  return link
}

test('a person signs up, proves the address with the six digits of the mail, and signs in', async () => {
  const { person, page } = await signUp('new@example.test')
  assert.equal(page.url, `${licet.issuer}/verify`)
  const [mail] = await mailsTo('new@example.test')
  const code = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
  const wrong = await person.submit(page, { code: code === '000000' ? '111111' : '000000' }, '/verify')
  assert.match(wrong.body, /role="alert"/)
  const done = await person.submit(wrong, { code }, '/verify')
  assert.match(textOf(done.body), /confirmed/)
  assert.ok(isInside(await signIn('new@example.test', NEW)))
})

test('LG2: signing up with a known address gives the same page, status and cookies; only the mail differs', async () => {
  const known = await newAccount(licet.core)
  const [first, second] = [await signUp('fresh@example.test'), await signUp(known.email)]
  assert.equal(first.page.status, second.page.status)
  const shape = ({ person, page }: typeof first, email: string) => [
    textOf(page.body)
      .replaceAll(email, 'E')
      .replace(/\d+ seconds?/, 'N'),
    [...person.cookies.keys()].sort(),
  ]
  assert.deepEqual(shape(first, 'fresh@example.test'), shape(second, known.email))
  const [mail] = await mailsTo(known.email)
  assert.ok(mail && !/\b\d{6}\b/.test(mail.text), 'no code for somebody else’s address')
  assert.ok(isInside(await signIn(known.email, PASSWORD)))
})

test('LG2: asking for a new password looks the same for a known, an unknown and a malformed address', async () => {
  const known = await newAccount(licet.core)
  const shown = []
  for (const email of [known.email, 'nobody@example.test', 'not an address']) {
    const person = new Person(licet.issuer)
    const page = await person.submit(await person.open('/recover'), { email }, '/recover')
    shown.push([page.status, textOf(page.body), [...person.cookies.keys()].sort()])
  }
  assert.deepEqual(shown[1], shown[0])
  assert.deepEqual(shown[2], shown[0])
})

test('LG8: a scanner that opens the link uses nothing up; the password is changed once, and the token stands in no address', async () => {
  const account = await newAccount(licet.core)
  const inside = new Person(licet.issuer)
  await inside.submit(await inside.open('/settings'), { email: account.email, password: PASSWORD }, '/sign-in')
  const link = await recoveryLink(account.email)
  for (const method of ['HEAD', 'GET', 'GET'])
    assert.ok((await new Person(licet.issuer).send(method, link)).status < 400)
  const person = new Person(licet.issuer)
  const page = await person.open(link)
  assert.equal(page.url, `${licet.issuer}/recover/new`)
  assert.match((await person.submit(page, { password: 'short' }, '/recover/new')).body, /role="alert"/)
  const done = await person.submit(page, { password: NEW }, '/recover/new')
  assert.match(textOf(done.body), /password was changed/)
  assert.match((await inside.open('/settings')).body, /name="password"/, 'other sessions are ended')
  const again = await new Person(licet.issuer).open(link)
  assert.equal(again.status, 410)
  assert.ok(!isInside(await signIn(account.email, PASSWORD)))
  assert.ok(isInside(await signIn(account.email, NEW)))
})

test('LG8: a guessed token, a token of another purpose and a link after the password was changed open nothing', async () => {
  const account = await newAccount(licet.core)
  const link = await recoveryLink(account.email)
  const token = link.split('/').at(-1) ?? ''
  const person = new Person(licet.issuer)
  for (const path of [`/recover/${'A'.repeat(43)}`, `/verify/${token}`, `/signup/${token}`])
    assert.equal((await person.open(path)).status, 410, path)
  await licet.core.accounts.setPassword({ kind: 'operator' }, account.id, NEW)
  assert.equal((await person.open(link)).status, 410)
})

test('LG8: a forged Host moves no link away from the issuer', async () => {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const form = await person.open('/recover')
  const csrf = /name="csrf" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
  const fields: [string, string][] = [
    ['csrf', csrf],
    ['email', account.email],
  ]
  const forged = await person.send('POST', '/recover', fields, { 'x-forwarded-host': 'evil.example' })
  assert.equal(forged.status, 200)
  for (const link of (await mailsTo(account.email))[0]?.links ?? []) assert.ok(link.startsWith(licet.issuer), link)
})

test('a link of a sign-up that is opened elsewhere asks for a password, and whoever signed up first is out (pre-hijacking)', async () => {
  const { page } = await signUp('victim@example.test', 'the attacker knows this 9')
  assert.equal(page.status, 200)
  const link = (await mailsTo('victim@example.test'))[0]?.links.find((one) => one.includes('/verify/')) ?? ''
  const victim = new Person(licet.issuer)
  const opened = await victim.open(link)
  const asked = await victim.submit(opened, {}, '/verify/')
  assert.match(asked.body, /autocomplete="new-password"/)
  const done = await victim.submit(asked, { password: NEW }, '/password')
  assert.match(textOf(done.body), /confirmed/)
  assert.ok(!isInside(await signIn('victim@example.test', 'the attacker knows this 9')))
  assert.ok(isInside(await signIn('victim@example.test', NEW)))
})
