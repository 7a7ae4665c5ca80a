/**
 * Administrators' pages over real HTTP: what waits is decided on as it was seen, an app is suspended and resumed with a reason, and nobody else gets in.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
let time = Date.now()
before(async () => {
  licet = await startLicet({ now: () => time })
})
after(() => licet.close())

async function enter(more: object = { role: 'administrator' }) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const signIn = await person.open('/admin/apps')
  const page = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

/** An app whose domain was proven, as the domain of apps keeps it. */
async function waiting(name = 'Notes') {
  const owner = await newAccount(licet.core)
  const wanted = { name, type: 'spa', redirectUris: ['https://notes.example/cb'], ownerId: owner.id } as const
  const { app } = await licet.core.apps.create(operator, wanted)
  const publisher = { domain: 'notes.example', by: 'dns', provenAt: time } as const
  await licet.core.apps.replace(operator, app.clientId, (record) => ({ ...record, publisher, review: 'waiting' }))
  return { owner, clientId: app.clientId, path: `/admin/apps/${app.clientId}` }
}

test('an app that waits is shown with its proof and its owner, and is verified as it was seen', async () => {
  const { person, page, account } = await enter()
  assert.match(textOf(page.body), /No app is waiting/)
  const { clientId, path, owner } = await waiting()
  assert.ok(textOf((await person.open('/admin/apps')).body).includes(clientId))
  const seen = await person.open(path)
  for (const told of ['notes.example', owner.email, 'https://notes.example/cb'])
    assert.ok(textOf(seen.body).includes(told), told)
  time += 1
  await licet.core.apps.change(operator, clientId, { name: 'Your Bank' })
  const refused = await person.submit(seen, {}, '/verify')
  assert.match(textOf(refused.body), /changed since you opened this page/)
  assert.equal((await licet.core.apps.getById(clientId)).verified, false)
  const verified = await person.submit(refused, {}, '/verify')
  assert.match(textOf(verified.body), /Verified/)
  assert.equal((await licet.core.apps.getById(clientId)).verified, true)
  const taken = await person.submit(verified, { reason: 'Sold' }, '/decline')
  assert.match(textOf(taken.body), /Not verified before: Sold/)
  const { items } = await licet.core.store.read(owner.id)
  const by = items.filter(({ record }) => ['app.verified', 'app.declined'].includes(String(record['event'])))
  assert.deepEqual(
    by.map(({ record }) => [record['event'], record['outcome'], (record['caller'] as { id: string }).id]),
    [
      ['app.declined', 'done', account.id],
      ['app.verified', 'done', account.id],
      ['app.verified', 'refused', account.id],
    ],
  )
})

test('an app is suspended with a reason and resumed; one of the configuration only looked at', async () => {
  const { person } = await enter()
  const { clientId, path } = await waiting('<b>Odd</b>')
  const without = await person.submit(await person.open(path), { reason: ' ' }, '/suspend')
  assert.match(textOf(without.body), /Give a reason/)
  const suspended = await person.submit(without, { reason: 'Reported' }, '/suspend')
  assert.match(textOf(suspended.body), /works nowhere. Reason: Reported/)
  assert.equal((await licet.core.apps.getById(clientId)).suspended?.reason, 'Reported')
  await person.submit(suspended, {}, '/resume')
  assert.equal((await licet.core.apps.getById(clientId)).suspended, undefined)
  const configured = await person.open('/admin/apps/playground')
  assert.ok(!configured.body.includes('/suspend'))
  assert.ok(textOf((await person.open(`/admin/apps?id=${clientId}`)).body).includes('<b>Odd</b>'))
  assert.match(textOf((await person.open('/admin/apps?id=none')).body), /no app with this client ID/)
})

test('an app that registered itself and is not stored is suspended for good', async () => {
  const registered = await fetch(`${licet.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/cb'], client_name: 'Desk' }),
  })
  const { client_id: clientId } = (await registered.json()) as { client_id: string }
  const { person } = await enter()
  await person.submit(await person.open(`/admin/apps/${clientId}`), { reason: 'Abuse' }, '/suspend')
  assert.equal((await licet.core.apps.getById(clientId)).suspended?.reason, 'Abuse')
})

test('attack: a member, a form of another session and a sign-in that is not recent administer nothing', async () => {
  const { clientId, path } = await waiting()
  const member = await enter({})
  assert.equal(member.page.status, 403)
  assert.ok(!(await member.person.open('/settings')).body.includes('/admin/apps'))
  const admin = await enter()
  assert.ok((await admin.person.open('/settings')).body.includes('/admin/apps'))
  const seen = await admin.person.open(path)
  for (const act of ['suspend', 'resume', 'verify', 'decline']) {
    const forged = await member.person.send('POST', `${path}/${act}`, [['reason', 'x']])
    assert.equal(forged.status, 403, act)
    const other = await enter()
    assert.equal(
      (await other.person.press(seen, { reason: 'x' }, act === 'resume' ? '/suspend' : `/${act}`)).status,
      403,
    )
  }
  time += 3_600_000
  const late = await admin.person.send('GET', '/admin/apps')
  assert.equal(late.status, 303)
  const again = await admin.person.press(seen, { reason: 'late' }, '/suspend')
  assert.notEqual(again.status, 200)
  const { suspended, verified } = await licet.core.apps.getById(clientId)
  assert.deepEqual([suspended, verified], [undefined, false])
})
