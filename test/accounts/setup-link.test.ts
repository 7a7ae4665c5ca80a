import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createSetupLinks, type SetupLink } from '../../src/accounts/setup-link.ts'
import { hasCode } from '../../src/errors.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openTestStore, operator } from '../support/open-store.ts'

const anonymous = { kind: 'anonymous', ip: '192.0.2.1' } as const
const wanted = { email: 'root@example.com', name: 'Root', password: 'correct horse battery' }

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const accounts = createAccounts(desk)
  const otherStore = desk.openAnother()
  const otherAccounts = createAccounts({
    ...desk,
    store: otherStore,
    audit: createAudit({ store: otherStore, now: desk.now }),
  })
  return {
    ...desk,
    accounts,
    links: createSetupLinks({ ...desk, accounts }),
    otherLinks: createSetupLinks({ ...desk, store: otherStore, accounts: otherAccounts }),
  }
}

function tokenOf(link: SetupLink | undefined): string {
  assert.ok(link)
  assert.match(link.path, /^\/setup\/[A-Za-z0-9_-]{43}$/)
  return link.path.slice('/setup/'.length)
}
const isGone = (error: unknown) => hasCode(error, 'gone')

test('LG11: the link makes the first administrator with a password of the person, and is dead afterwards', async (t) => {
  const { links, accounts } = setUp(t)
  const token = tokenOf(await links.renew())
  const account = await links.use(anonymous, token, wanted)
  assert.deepEqual([account.role, account.email, account.emailVerified], ['administrator', 'root@example.com', true])
  await assert.rejects(links.check(token), isGone)
  await assert.rejects(links.use(anonymous, token, { ...wanted, email: 'second@example.com' }), isGone)
  assert.equal((await accounts.list()).items.length, 1)
})

test('opening the link consumes nothing', async (t) => {
  const { links } = setUp(t)
  const token = tokenOf(await links.renew())
  for (let index = 0; index < 5; index += 1) await links.check(token)
  assert.equal((await links.use(anonymous, token, wanted)).role, 'administrator')
})

test('no link is made once an administrator exists, and one made before is dead', async (t) => {
  const { links, accounts } = setUp(t)
  const token = tokenOf(await links.renew())
  await accounts.create(operator, { email: 'other@example.com', role: 'administrator' })
  await assert.rejects(links.use(anonymous, token, wanted), isGone)
  assert.equal(await links.renew(), undefined)
})

test('a link printed at a restart kills the one before', async (t) => {
  const { links, otherLinks } = setUp(t)
  const before = tokenOf(await links.renew())
  const after = tokenOf(await otherLinks.renew())
  await assert.rejects(links.check(before), isGone)
  await assert.rejects(links.use(anonymous, before, wanted), isGone)
  assert.equal((await links.use(anonymous, after, wanted)).role, 'administrator')
})

test('LG11 attack: twenty parallel uses on two processes, with different addresses, make one administrator', async (t) => {
  const { links, otherLinks, accounts } = setUp(t)
  const token = tokenOf(await links.renew())
  const attempts = Array.from({ length: 20 }, (_, index) =>
    (index % 2 ? links : otherLinks).use(anonymous, token, { ...wanted, email: `root${index}@example.com` }),
  )
  const ends = await Promise.allSettled(attempts)
  assert.equal(ends.filter((end) => end.status === 'fulfilled').length, 1)
  for (const end of ends) if (end.status === 'rejected') assert.ok(isGone(end.reason), String(end.reason))
  assert.equal((await accounts.list({ role: 'administrator' })).items.length, 1)
})

test('LG11 attack: invented, empty, altered and huge tokens are gone', async (t) => {
  const { links } = setUp(t)
  for (const token of ['', 'x'.repeat(43)]) await assert.rejects(links.check(token), isGone)
  const token = tokenOf(await links.renew())
  for (const bad of ['', token.slice(0, -1), `${token}x`, token.toLowerCase(), 'x'.repeat(1_000_000)]) {
    await assert.rejects(links.use(anonymous, bad, wanted), isGone)
  }
  await links.check(token)
})

test('the link ends after 24 hours', async (t) => {
  const { links, pass } = setUp(t)
  const token = tokenOf(await links.renew())
  pass(24 * 3_600_000 - 1)
  await links.check(token)
  pass(2)
  await assert.rejects(links.use(anonymous, token, wanted), isGone)
})

test('wrong input leaves the link alive', async (t) => {
  const { links, accounts } = setUp(t)
  await accounts.create(operator, { email: 'taken@example.com' })
  const token = tokenOf(await links.renew())
  await assert.rejects(links.use(anonymous, token, { ...wanted, password: 'short' }), (error) =>
    hasCode(error, 'invalid_request'),
  )
  await assert.rejects(links.use(anonymous, token, { ...wanted, email: 'taken@example.com' }), (error) =>
    hasCode(error, 'conflict'),
  )
  assert.equal((await links.use(anonymous, token, wanted)).email, 'root@example.com')
})

test('the store holds no usable setup token', async (t) => {
  const { links, store } = setUp(t)
  const token = tokenOf(await links.renew())
  assert.ok(!JSON.stringify(await store.list('setup_link')).includes(token))
})
