/**
 * Administrators' pages over real HTTP: accounts are found, invited, closed down and opened again with a reason that the audit keeps; the server's room
 * sends a test mail and makes new signing keys. Nobody else gets in.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
let admin: { person: Person; account: Awaited<ReturnType<typeof newAccount>> }
before(async () => {
  licet = await startLicet()
  admin = await enter({ role: 'administrator' })
})
after(() => licet?.close())

async function enter(more: object) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const signIn = await person.open('/admin/accounts')
  const page = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

test('an account is found by a piece of its name, and shown with what happened to it', async () => {
  const grace = await newAccount(licet.core, 'grace@example.test', { name: 'Grace <b>Hopper</b>' })
  const found = await admin.person.open('/admin/accounts?query=hopper&status=active')
  assert.ok(textOf(found.body).includes('grace@example.test'))
  assert.ok(!found.body.includes('<b>Hopper'))
  const shown = await admin.person.open(`/admin/accounts/${grace.id}`)
  assert.match(textOf(shown.body), /Account created .* by an operator/)
  assert.match(textOf((await admin.person.open('/admin/accounts?query=nobody-at-all')).body), /No account fits/)
  assert.equal((await admin.person.open('/admin/accounts/none')).status, 404)
})

test('an account is disabled with a reason, which its trail keeps, and enabled again; without a reason nothing happens', async () => {
  const { account } = await enter({})
  const there = `/admin/accounts/${account.id}`
  const refused = await admin.person.submit(await admin.person.open(there), { reason: '  ' }, '/disable')
  assert.match(textOf(refused.body), /Give a reason/)
  assert.equal((await licet.core.accounts.getById(account.id)).status, 'active')
  const disabled = await admin.person.submit(refused, { reason: 'Stolen laptop' }, '/disable')
  assert.match(textOf(disabled.body), /Disabled. Everything/)
  assert.match(textOf(disabled.body), /Reason: Stolen laptop/)
  const { items } = await licet.core.store.read(account.id)
  const kept = items.find(({ record }) => record['event'] === 'account.disabled')?.record['caller'] as object
  assert.deepEqual(
    { ...kept, ip: '', userAgent: '', requestId: '' },
    { kind: 'operator', id: admin.account.id, reason: 'Stolen laptop', ip: '', userAgent: '', requestId: '' },
  )
  await admin.person.submit(disabled, {}, '/enable')
  assert.equal((await licet.core.accounts.getById(account.id)).status, 'active')
})

test('signing out ends the browser of that person', async () => {
  const { account, person } = await enter({})
  assert.equal((await person.open('/settings')).url, `${licet.issuer}/settings`)
  await admin.person.submit(await admin.person.open(`/admin/accounts/${account.id}`), {}, '/sign-out')
  assert.match((await person.open('/settings')).body, /name="password"/)
})

test('the role of the last administrator stays, and a second one can be made', async () => {
  const mine = await admin.person.open(`/admin/accounts/${admin.account.id}`)
  const refused = await admin.person.submit(mine, { reason: 'Retiring' }, '/role')
  assert.match(textOf(refused.body), /last administrator/)
  const { account } = await enter({})
  await admin.person.submit(await admin.person.open(`/admin/accounts/${account.id}`), { reason: 'Deputy' }, '/role')
  assert.equal((await licet.core.accounts.getById(account.id)).role, 'administrator')
})

test('an invitation is mailed and makes an account; a known address and no address are told', async () => {
  const invite = (email: string) =>
    admin.person.open('/admin/accounts').then((page) => admin.person.submit(page, { email, name: 'New' }, '/invite'))
  assert.match(textOf((await invite('new@example.test')).body), /Invited: new@example.test/)
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; links: string[] }[]
  assert.ok(mails.some(({ to, links }) => to === 'new@example.test' && links.length > 0))
  assert.match(textOf((await invite('nothing')).body), /Enter an email address/)
  assert.match(textOf((await invite(admin.account.email)).body), /has an account already/)
})

test('where sign-up is closed nobody is invited, and nothing offers it', async (t) => {
  const closed = await startLicet({ file: { sign_up: { policy: 'closed' } } })
  t.after(() => closed.close())
  const { email } = await newAccount(closed.core, undefined, { role: 'administrator' })
  const person = new Person(closed.issuer)
  const page = await person.submit(await person.open('/admin/accounts'), { email, password: PASSWORD }, '/sign-in')
  assert.equal(page.status, 200)
  assert.ok(!page.body.includes('/admin/accounts/invite'))
})

test('the server’s room sends a test mail and makes signing keys that are published before they sign', async () => {
  const before = await licet.core.signingKeys.list()
  const room = await admin.person.open('/admin/server')
  assert.match(textOf(room.body), /SQLite · answered in \d+ ms/)
  assert.match(textOf((await admin.person.submit(room, {}, '/server/mail')).body), /on its way to/)
  const rotated = await admin.person.submit(room, {}, '/server/keys')
  assert.match(textOf(rotated.body), /ES256 Coming/)
  const keys = await licet.core.signingKeys.list()
  assert.equal(keys.length, 2 * before.length)
  assert.ok(before.every(({ kid }) => keys.some((key) => key.kid === kid && key.publishedUntil !== undefined)))
})

test('attack: an administrator whose address nobody has proven is led to prove it, and administers nothing', async () => {
  const { person, page } = await enter({ role: 'administrator', emailVerified: false })
  assert.equal(new URL(page.url).pathname, '/settings/verify')
  assert.equal(new URL((await person.open('/admin/server')).url).pathname, '/settings/verify')
})

test('attack: a member and a form of another session administer nothing (AK7, CS2)', async () => {
  const victim = await newAccount(licet.core)
  const there = `/admin/accounts/${victim.id}`
  const member = await enter({})
  assert.equal(member.page.status, 403)
  const seen = await admin.person.open(there)
  const other = await enter({ role: 'administrator' })
  for (const act of ['disable', 'sign-out', 'role']) {
    assert.equal((await member.person.send('POST', `${there}/${act}`, [['reason', 'x']])).status, 403, act)
    assert.equal((await other.person.press(seen, { reason: 'x' }, `/${act}`)).status, 403, act)
  }
  for (const path of ['/admin/server/mail', '/admin/server/keys', '/admin/accounts/invite'])
    assert.equal((await member.person.send('POST', path, [['email', 'x@example.test']])).status, 403, path)
  const { status, epoch, role } = await licet.core.accounts.getById(victim.id)
  assert.deepEqual([status, epoch, role], ['active', victim.epoch, 'member'])
})

test('attack: the invitation of an administrator who is none any more makes no administrator', async () => {
  const rogue = await enter({ role: 'administrator' })
  const list = await rogue.person.open('/admin/accounts')
  await rogue.person.submit(list, { email: 'accomplice@example.test', role: 'administrator' }, '/invite')
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; links: string[] }[]
  const link = mails.find(({ to }) => to === 'accomplice@example.test')?.links[0] ?? ''
  await licet.core.accounts.setRole(operator, rogue.account.id, 'member')
  const accomplice = new Person(licet.issuer)
  const page = await accomplice.open(link)
  if (page.status === 200) await accomplice.submit(page, { name: 'Eve', password: PASSWORD })
  assert.equal(page.status, 410)
  assert.notEqual((await licet.core.accounts.findByEmail('accomplice@example.test'))?.role, 'administrator')
})

test('a form that names no role changes none and says so to nobody', async () => {
  const { account } = await enter({})
  const page = await admin.person.open(`/admin/accounts/${account.id}`)
  const answer = await admin.person.submit(page, { reason: 'because', role: 'emperor' }, '/role')
  assert.ok(!answer.url.includes('done='), answer.url)
})
