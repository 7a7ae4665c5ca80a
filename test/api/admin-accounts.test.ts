/**
 * Accounts in the hands of an administrator over the API, from making one to closing it, and what everybody else gets.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, type Json, makeKey, newOwner, type Owner, ownApp, TEN } from '../support/api.ts'
import type { AppClient } from '../support/app-client.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

const ROOM = '/api/v1/admin/accounts'
// bcrypt of `U*U*` (a published vector).
const bcrypt = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'

let licet: Licet
let app: AppClient
let admin: Owner
before(async () => {
  licet = await startLicet({ file: { sign_up: { policy: 'invited' } } })
  app = await ownApp(licet)
  admin = await newOwner(licet, { app, scope: TEN, account: { role: 'administrator', name: 'Root' } })
})
after(() => licet.close())

const asAdmin = async (method: string, path: string, json?: unknown): Promise<Json> => {
  const answer = await admin.call(method, path, json === undefined ? {} : { json })
  return { http: answer.status, ...answer.body }
}

test('attack: a member, an administrator’s key, a token without the scope and nobody reach no call of the administration', async () => {
  const member = await newOwner(licet, { app })
  const { key } = await makeKey(licet, admin.accountId, { scopes: ['api:read', 'api:write'] })
  const weak = await newOwner(licet, { app, account: { role: 'administrator' } })
  const { paths } = (await callApi(licet.issuer, 'GET', '/api/v1/openapi.json')).body
  const calls = Object.entries<Json>(paths).flatMap(([path, methods]) =>
    path.startsWith('/api/v1/admin/') ? Object.keys(methods).map((method) => ({ path, method })) : [],
  )
  assert.ok(calls.length >= 12, String(calls.length))
  for (const { path, method } of calls) {
    const place = path.replace(/\{\w+\}/g, member.accountId)
    for (const [token, status] of [
      [undefined, 401],
      [member.token, 403],
      [key, 403],
      [weak.token, 403],
    ] as const) {
      const answer = await callApi(licet.issuer, method.toUpperCase(), place, { token, json: { reason: 'x' } })
      assert.equal(answer.status, status, `${method} ${path}`)
    }
  }
  assert.equal((await licet.core.accounts.getById(member.accountId)).status, 'active')
})

test('an account is made, found, changed, signed out, closed and opened; each act is in the audit with who and why', async () => {
  const made = await asAdmin('POST', ROOM, {
    email: 'Grace@Example.com',
    name: 'Grace Hopper',
    password: PASSWORD,
    email_verified: true,
    attributes: { plan: 'pro' },
    reason: 'new hire',
  })
  const { id } = made
  assert.deepEqual(
    [made.http, made.email, made.role, made.attributes.plan],
    [201, 'Grace@example.com', 'member', 'pro'],
  )
  const person = new Person(licet.issuer)
  const { refresh_token: refreshToken } = (await app.redeem(await app.obtainCode(person, made.email))).body

  for (const query of ['grace@EXAMPLE.com', id, 'hopper', 'ace@ex']) {
    const { items } = await asAdmin('GET', `${ROOM}?query=${encodeURIComponent(query)}`)
    assert.deepEqual(
      items.map((one: Json) => one.id),
      [id],
      query,
    )
  }
  assert.deepEqual((await asAdmin('GET', `${ROOM}?role=member&query=root`)).items, [])
  const shown = await asAdmin('GET', `${ROOM}/${id}`)
  assert.deepEqual(shown.second_factors, { required: false, totp: false, passkeys: 0, recovery_codes: 0 })

  const changed = await asAdmin('PATCH', `${ROOM}/${id}`, {
    name: 'Rear Admiral',
    locale: 'de',
    attributes: { plan: 'free' },
    role: 'administrator',
    reason: 'promoted',
  })
  assert.deepEqual(
    [changed.http, changed.name, changed.locale, changed.attributes, changed.role],
    [200, 'Rear Admiral', 'de', { plan: 'free' }, 'administrator'],
  )
  assert.equal((await app.refresh(refreshToken)).status, 200)
  assert.equal((await asAdmin('POST', `${ROOM}/${id}/sign-out`)).http, 200)
  assert.match((await person.open('/settings')).body, /name="password"/)
  assert.deepEqual((await licet.core.store.list('session', { group: 'accountId', value: id })).items, [])

  assert.equal((await asAdmin('POST', `${ROOM}/${id}/disable`)).http, 400)
  const disabled = await asAdmin('POST', `${ROOM}/${id}/disable`, { reason: 'left the company' })
  assert.deepEqual([disabled.status, disabled.disabled_reason], ['disabled', 'left the company'])
  assert.equal((await asAdmin('GET', `${ROOM}?status=disabled`)).items[0].id, id)
  assert.equal((await asAdmin('POST', `${ROOM}/${id}/enable`, { reason: 'came back' })).status, 'active')

  const { items } = await asAdmin('GET', `/api/v1/admin/audit?account=${id}&limit=200`)
  const why = (event: string) => items.find((one: Json) => one.event === event)?.by
  const by = { kind: 'operator', id: admin.accountId }
  assert.deepEqual(why('account.created'), { ...by, reason: 'new hire' })
  assert.deepEqual(why('account.role_changed'), { ...by, reason: 'promoted' })
  assert.deepEqual(why('account.signed_out_everywhere'), { ...by, reason: null })
  assert.deepEqual(why('account.disabled'), { ...by, reason: 'left the company' })
  assert.deepEqual(why('account.enabled'), { ...by, reason: 'came back' })
  assert.ok(items.find((one: Json) => one.event === 'account.disabled').ip)
})

test('the owner reads what an operator did, not where the operator sits', async () => {
  const owner = await newOwner(licet, { app })
  await asAdmin('PATCH', `${ROOM}/${owner.accountId}`, { attributes: { plan: 'pro' }, reason: 'ticket 7' })
  const { items } = (await owner.call('GET', '/api/v1/activity')).body
  const entry = items.find((one: Json) => one.event === 'account.attributes_changed')
  assert.deepEqual([entry.ip, entry.user_agent], [null, null])
  assert.ok(items.some((one: Json) => one.event === 'sign_in.done' && one.ip))
})

test('reset-mfa needs a reason, removes every factor, signs out and tells the owner', async () => {
  const owner = await newOwner(licet, { app })
  await licet.core.store.put(
    'factors',
    { id: owner.accountId, value: { passkeys: [], recovery: { codeDigests: ['x'], at: 1 } } },
    'replace',
  )
  assert.equal((await asAdmin('POST', `${ROOM}/${owner.accountId}/reset-mfa`, { reason: ' ' })).http, 400)
  assert.equal((await asAdmin('GET', `${ROOM}/${owner.accountId}`)).second_factors.recovery_codes, 1)
  const reset = await asAdmin('POST', `${ROOM}/${owner.accountId}/reset-mfa`, { reason: 'seen her passport' })
  assert.equal(reset.id, owner.accountId)
  assert.equal((await asAdmin('GET', `${ROOM}/${owner.accountId}`)).second_factors.recovery_codes, 0)
  assert.equal((await owner.call('GET', '/api/v1/accounts/me')).status, 401)
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; text: string }[]
  const mail = mails.find(({ to }) => to === owner.email)
  assert.ok(mail && !mail.text.includes('127.0.0.1'), mail?.text)
})

test('attack: no field beyond the list is taken, and what is refused has changed nothing', async () => {
  const { accountId } = await newOwner(licet, { app })
  const before = await licet.core.accounts.getById(accountId)
  for (const json of [
    { status: 'active' },
    { epoch: 0 },
    { email: 'other@example.test' },
    { email_verified: false },
    { role: 'owner' },
    { role: 'administrator', attributes: { nested: { too: { deep: true } } }, name: '\u0000' },
    { name: 'New', attributes: [] },
  ])
    assert.equal((await asAdmin('PATCH', `${ROOM}/${accountId}`, json)).http, 400, JSON.stringify(json))
  assert.deepEqual(await licet.core.accounts.getById(accountId), before)
  assert.equal((await asAdmin('PATCH', `${ROOM}/nobody`, { name: 'X' })).http, 404)
})

test('RC8: an administrator may go as long as another one stays', async () => {
  const { items } = await asAdmin('GET', `${ROOM}?role=administrator&limit=200`)
  for (const { id } of items.filter((one: Json) => one.id !== admin.accountId))
    assert.equal((await asAdmin('PATCH', `${ROOM}/${id}`, { role: 'member' })).http, 200)
  const own = `${ROOM}/${admin.accountId}`
  assert.equal((await asAdmin('PATCH', own, { role: 'member', name: 'Nobody' })).http, 403)
  assert.equal((await asAdmin('POST', `${own}/disable`, { reason: 'tired' })).http, 403)
  assert.equal((await asAdmin('GET', own)).name, 'Root')
})

test('an invited person opens the link of the mail, makes a verified account and signs in; the link is good once', async () => {
  const invited = await asAdmin('POST', `${ROOM}/invite`, { email: 'alan@example.test', locale: 'de', reason: 'team' })
  assert.equal(invited.http, 201)
  const box = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; links: string[] }[]
  const [link] = box.find(({ to }) => to === 'alan@example.test')?.links ?? []
  assert.equal(link, invited.link)
  const person = new Person(licet.issuer)
  const done = await person.submit(await person.open(invited.link), { name: 'Alan', password: PASSWORD }, '/signup/')
  assert.equal(done.status, 200)
  const account = await licet.core.accounts.findByEmail('alan@example.test')
  assert.deepEqual([account?.emailVerified, account?.name, account?.role], [true, 'Alan', 'member'])
  assert.equal((await person.open(invited.link)).status, 410)
  const inside = await person.submit(
    await person.open('/settings'),
    { email: 'alan@example.test', password: PASSWORD },
    '/sign-in',
  )
  assert.equal(inside.url, `${licet.issuer}/settings`)
  assert.equal((await asAdmin('POST', `${ROOM}/invite`, { email: 'ALAN@example.test' })).http, 409)
})

test('LG12: where sign-up is closed nobody is invited, and an administrator makes accounts all the same', async () => {
  const closed = await startLicet({ file: { sign_up: { policy: 'closed' } } })
  const owner = await newOwner(closed, { scope: TEN, account: { role: 'administrator' } })
  const call = (path: string, json: object) => owner.call('POST', path, { json })
  assert.equal((await call(`${ROOM}/invite`, { email: 'eve@example.test' })).status, 403)
  assert.equal((await call(ROOM, { email: 'eve@example.test', email_verified: true })).status, 201)
  await closed.close()
})

test('many are imported from CSV or NDJSON after a dry run that writes nothing', async () => {
  const csv = ['email,name,email_verified,password_hash', `ida@example.test,Ida,true,${bcrypt}`, 'not an address,X,,']
  const content = csv.join('\r\n')
  const dry = await asAdmin('POST', `${ROOM}/import`, { format: 'csv', content, dry_run: true })
  assert.deepEqual([dry.http, dry.dry_run, dry.created, dry.refused, dry.problems[0]?.line], [200, true, 1, 1, 3])
  assert.equal(await licet.core.accounts.findByEmail('ida@example.test'), undefined)
  const done = await asAdmin('POST', `${ROOM}/import`, { format: 'csv', content, reason: 'moving' })
  assert.deepEqual([done.created, done.known, done.refused], [1, 0, 1])
  const lines = [{ email: 'IDA@example.test' }, { email: 'joan@example.test' }].map((row) => JSON.stringify(row))
  const more = await asAdmin('POST', `${ROOM}/import`, { format: 'ndjson', content: lines.join('\n') })
  assert.deepEqual([more.created, more.known, more.refused], [1, 1, 0])
  const person = new Person(licet.issuer)
  const signIn = await person.open('/settings')
  const inside = await person.submit(signIn, { email: 'ida@example.test', password: 'U*U*' }, '/sign-in')
  assert.equal(inside.url, `${licet.issuer}/settings`)
})

test('accounts are paged by an index to the last one, and a log is read as it is chained', async () => {
  const seen: string[] = []
  let cursor = ''
  do {
    const page = await asAdmin('GET', `${ROOM}?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    assert.equal(page.http, 200)
    seen.push(...page.items.map((one: Json) => one.id))
    cursor = page.next_cursor ?? ''
  } while (cursor)
  assert.equal(new Set(seen).size, seen.length)
  assert.equal(seen.length, (await licet.core.accounts.list({ limit: 1000 })).items.length)
  for (const bent of ['x', 'owner.x', 'member.'])
    assert.ok([200, 400].includes((await asAdmin('GET', `${ROOM}?cursor=${bent}`)).http))
  assert.equal((await asAdmin('GET', '/api/v1/admin/audit/logs/16')).http, 404)
  let links = 0
  for (let log = 0; log < 16; log += 1) {
    const page = await asAdmin('GET', `/api/v1/admin/audit/logs/${log}?limit=1000`)
    assert.equal(page.http, 200)
    links += page.items.length
    assert.deepEqual(page.items, await licet.core.store.readLog(log, 1, 1000))
  }
  assert.ok(links > 0)
})
