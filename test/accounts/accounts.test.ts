import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { accountClaims } from '../../src/accounts/claims.ts'
import type { NewAccount } from '../../src/accounts/fields.ts'
import { hasCode } from '../../src/errors.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openTestStore, operator } from '../support/open-store.ts'

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const secondStore = desk.openAnother()
  const second = { ...desk, store: secondStore, audit: createAudit({ store: secondStore, now: desk.now }) }
  return {
    ...desk,
    accounts: createAccounts(desk),
    /** As a second process has them. */ otherAccounts: createAccounts(second),
  }
}

const ada: NewAccount = { email: 'ada@example.com', name: 'Ada' }

test('an account is found by id and by every spelling of its address', async (t) => {
  const { accounts } = setUp(t)
  const made = await accounts.create(operator, { email: ' Ada.Lovelace@Exämple.COM. ', name: 'Ada' })
  assert.match(made.id, /^[0-9A-Za-z]{22}$/)
  assert.equal(made.email, 'Ada.Lovelace@xn--exmple-cua.com')
  assert.deepEqual(await accounts.find(made.id), made)
  for (const spelling of [
    'ada.lovelace@exämple.com',
    'ADA.LOVELACE@XN--EXMPLE-CUA.COM',
    'ａda.lovelace＠exämple.com',
  ]) {
    assert.equal((await accounts.findByEmail(spelling))?.id, made.id, spelling)
    assert.equal((await accounts.getByName(spelling)).id, made.id)
  }
  assert.equal((await accounts.getByName(made.id)).id, made.id)
  assert.equal(await accounts.findByEmail('nobody@example.com'), undefined)
  await assert.rejects(accounts.getById('nobody'), (error) => hasCode(error, 'not_found'))
})

test('an account as others see it holds neither password digest nor inner fields', async (t) => {
  const { accounts, store } = setUp(t)
  const made = await accounts.create(operator, { ...ada, password: 'correct horse' })
  assert.equal(made.hasPassword, true)
  assert.doesNotMatch(JSON.stringify(made), /argon2|emailKey|passwordDigest|leaving/)
  assert.match(JSON.stringify(await store.find('account', made.id)), /\$argon2id\$/)
  assert.equal((await accounts.create(operator, { email: 'b@example.com' })).hasPassword, false)
})

test('RC4 attack: racing creations of one address in many spellings leave one account', async (t) => {
  const { accounts, otherAccounts } = setUp(t)
  const spellings = [
    'ada@example.com',
    'Ada@example.com',
    'ADA@EXAMPLE.COM',
    ' ada@example.com',
    'ada@example.com.',
    'ａda@example.com',
  ]
  const attempts = Array.from({ length: 18 }, (_, index) =>
    (index % 2 ? accounts : otherAccounts).create(operator, {
      email: spellings[index % spellings.length] ?? '',
      name: 'Ada',
    }),
  )
  const ends = await Promise.allSettled(attempts)
  assert.equal(ends.filter((end) => end.status === 'fulfilled').length, 1)
  for (const end of ends) if (end.status === 'rejected') assert.ok(hasCode(end.reason, 'conflict'), String(end.reason))
  assert.equal((await accounts.list()).items.length, 1)
})

test('wrong fields of a new account are named together', async (t) => {
  const { accounts } = setUp(t)
  const wrong = { email: 'not an address', name: '\u200b', password: 'short', locale: 'no such tag' }
  await assert.rejects(accounts.create(operator, wrong), (error) => {
    assert.ok(hasCode(error, 'invalid_request'))
    assert.deepEqual(
      error.details.fields?.map(({ pointer }) => pointer),
      ['/email', '/name', '/locale', '/password'],
    )
    return true
  })
  assert.equal((await accounts.list()).items.length, 0)
})

test('without a name an account is called by the local part of its address', async (t) => {
  const { accounts } = setUp(t)
  assert.equal((await accounts.create(operator, { email: 'grace@example.com' })).name, 'grace')
})

test('attack: a change takes name and locale only, whatever else the request holds', async (t) => {
  const { accounts } = setUp(t)
  const { id } = await accounts.create(operator, ada)
  const change = { name: 'Ada L.', role: 'administrator', emailVerified: true }
  await assert.rejects(accounts.change(operator, id, change), (error) => hasCode(error, 'invalid_request'))
  const after = await accounts.change(operator, id, { name: 'Ada\u202e L.', locale: 'de-de' })
  assert.deepEqual([after.name, after.locale, after.role, after.emailVerified], ['Ada L.', 'de-DE', 'member', false])
})

test('disabling, signing out everywhere and a new password raise the epoch; other changes do not', async (t) => {
  const { accounts } = setUp(t)
  const { id, epoch } = await accounts.create(operator, ada)
  const seen = [
    (await accounts.change(operator, id, { name: 'A' })).epoch,
    (await accounts.setAttributes(operator, id, { plan: 'pro' })).epoch,
    (await accounts.signOutEverywhere(operator, id)).epoch,
    (await accounts.disable(operator, id, 'spam')).epoch,
    (await accounts.enable(operator, id)).epoch,
    (await accounts.setPassword(operator, id, 'correct horse')).epoch,
  ].map((value) => value - epoch)
  assert.deepEqual(seen, [0, 0, 1, 2, 2, 3])
})

test('a disabled account says why, and not any more once enabled', async (t) => {
  const { accounts } = setUp(t)
  const { id } = await accounts.create(operator, ada)
  assert.deepEqual(pick(await accounts.disable(operator, id, 'spam')), { status: 'disabled', disabledReason: 'spam' })
  assert.deepEqual(pick(await accounts.enable(operator, id)), { status: 'active', disabledReason: undefined })
})
const pick = ({ status, disabledReason }: { status: string; disabledReason?: string }) => ({ status, disabledReason })

test('attributes are plain JSON of at most 8 kB', async (t) => {
  const { accounts } = setUp(t)
  const { id } = await accounts.create(operator, {
    ...ada,
    attributes: { plan: 'pro', seats: [1, 2], nested: { a: null } },
  })
  assert.deepEqual((await accounts.getById(id)).attributes, { plan: 'pro', seats: [1, 2], nested: { a: null } })
  const bad = [
    { big: 'x'.repeat(9000) },
    JSON.parse('{"a":{"__proto__":{"x":1}}}'),
    [1],
    'text',
    null,
    { f: () => 1 },
    { n: Number.NaN },
  ]
  for (const attributes of bad) {
    await assert.rejects(accounts.setAttributes(operator, id, attributes), (error) => hasCode(error, 'invalid_request'))
  }
})

test('every change is noted once, with caller and outcome, and holds no secret', async (t) => {
  const { accounts, store } = setUp(t)
  const { id } = await accounts.create(operator, { ...ada, password: 'correct horse' })
  await accounts.disable({ kind: 'account', id: 'admin', ip: '192.0.2.1' }, id, 'spam')
  await assert.rejects(accounts.change(operator, 'missing', { name: 'X' }))
  const { items } = await store.read(id)
  assert.deepEqual(
    items.map(({ record }) => [record['event'], record['outcome']]),
    [
      ['account.disabled', 'done'],
      ['account.created', 'done'],
    ],
  )
  assert.deepEqual(items[0]?.record['caller'], { kind: 'account', id: 'admin', ip: '192.0.2.1' })
  assert.doesNotMatch(JSON.stringify(items), /correct horse|argon2/)
  assert.equal((await store.read('missing')).items[0]?.record['outcome'], 'refused')
})

test('accounts are listed page by page', async (t) => {
  const { accounts } = setUp(t)
  for (let index = 0; index < 5; index += 1) await accounts.create(operator, { email: `a${index}@example.com` })
  await accounts.create(operator, { ...ada, role: 'administrator' })
  const seen = new Set<string>()
  let page = await accounts.list({ limit: 2 })
  for (const { id } of page.items) seen.add(id)
  while (page.nextCursor) {
    page = await accounts.list({ limit: 2, cursor: page.nextCursor })
    for (const { id } of page.items) seen.add(id)
  }
  assert.equal(seen.size, 6)
  assert.deepEqual(
    (await accounts.list({ role: 'administrator' })).items.map(({ email }) => email),
    ['ada@example.com'],
  )
})

test('a removed account is gone and its address is free', async (t) => {
  const { accounts } = setUp(t)
  const { id } = await accounts.create(operator, ada)
  await accounts.remove(operator, id)
  assert.equal(await accounts.find(id), undefined)
  assert.notEqual((await accounts.create(operator, ada)).id, id)
  await assert.rejects(accounts.remove(operator, id), (error) => hasCode(error, 'not_found'))
})

test('claims are opened by scope, and an absent value is no claim', async (t) => {
  const { accounts } = setUp(t)
  const account = await accounts.create(operator, { ...ada, emailVerified: true })
  assert.deepEqual(accountClaims(account, ['openid']), { sub: account.id })
  assert.deepEqual(accountClaims(account, ['email']), { email: 'ada@example.com', email_verified: true })
  assert.deepEqual(accountClaims(account, ['profile', 'data:read', '__proto__', 'constructor']), {
    name: 'Ada',
    updated_at: Math.floor(account.updatedAt / 1000),
  })
})
