import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isAdministrator } from '../../src/accounts/account.ts'
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts'
import { leaveAdministration } from '../../src/accounts/last-administrator.ts'
import { AppError, hasCode } from '../../src/errors.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openTestStore, operator } from '../support/open-store.ts'

async function setUp(t: TestContext, administrators: number) {
  const desk = openTestStore(t)
  const otherStore = desk.openAnother()
  const otherAccounts = createAccounts({
    ...desk,
    store: otherStore,
    audit: createAudit({ store: otherStore, now: desk.now }),
  })
  const accounts = createAccounts(desk)
  const ids: string[] = []
  for (let index = 0; index < administrators; index += 1) {
    const { id } = await accounts.create(operator, { email: `admin${index}@example.com`, role: 'administrator' })
    ids.push(id)
  }
  return { ...desk, accounts, otherAccounts, ids, first: ids[0] ?? '', second: ids[1] ?? '' }
}

async function countAdministrators(accounts: Accounts): Promise<number> {
  return (await accounts.list({ role: 'administrator', limit: 1000 })).items.filter(isAdministrator).length
}

test('RC8: the last administrator is neither disabled nor demoted nor removed', async (t) => {
  const { accounts, first } = await setUp(t, 1)
  for (const act of [accounts.disable, accounts.remove]) {
    await assert.rejects(act(operator, first), (error) => hasCode(error, 'forbidden'))
  }
  await assert.rejects(accounts.setRole(operator, first, 'member'), (error) => hasCode(error, 'forbidden'))
  assert.ok(isAdministrator(await accounts.getById(first)))
})

test('RC8: a disabled administrator does not count as another one', async (t) => {
  const { accounts, first, second } = await setUp(t, 2)
  await accounts.disable(operator, second)
  await assert.rejects(accounts.disable(operator, first), (error) => hasCode(error, 'forbidden'))
  await accounts.enable(operator, second)
  await accounts.disable(operator, first)
  assert.equal(await countAdministrators(accounts), 1)
})

test('RC8 attack: administrators disabled, demoted and removed all at once by two processes leave at least one', async (t) => {
  for (let round = 0; round < 12; round += 1) {
    await t.test(`round ${round}`, async (t) => {
      const { accounts, otherAccounts, ids } = await setUp(t, 2 + (round % 3))
      const acts = ids.flatMap((id) => [
        accounts.disable(operator, id),
        otherAccounts.setRole(operator, id, 'member'),
        otherAccounts.remove(operator, id),
      ])
      const ends = await Promise.allSettled(acts)
      for (const end of ends)
        if (end.status === 'rejected') assert.ok(end.reason instanceof AppError, String(end.reason))
      assert.ok((await countAdministrators(accounts)) >= 1)
    })
  }
})

test('RC8: what was refused can be tried again and then succeeds', async (t) => {
  const { accounts, ids } = await setUp(t, 3)
  await Promise.allSettled(ids.map((id) => accounts.disable(operator, id)))
  for (const id of ids) {
    if (!isAdministrator(await accounts.getById(id)) || (await countAdministrators(accounts)) === 1) continue
    await accounts.disable(operator, id)
  }
  assert.equal(await countAdministrators(accounts), 1)
})

test('RC8: a mark left by a crash blocks the others for a minute and not longer', async (t) => {
  const { accounts, store, now, first, second, pass } = await setUp(t, 2)
  await store.update<Record<string, unknown>>('account', second, (value) => ({
    value: { ...value, leaving: { mark: 'left by a crash', at: now() } },
  }))
  await assert.rejects(accounts.disable(operator, first), (error) => hasCode(error, 'forbidden'))
  pass(60_001)
  await accounts.disable(operator, first)
  assert.deepEqual(
    [(await accounts.getById(first)).status, (await accounts.getById(second)).status],
    ['disabled', 'active'],
  )
})

test('RC8 attack: an administrator given back meanwhile ends the attempt that was under way', async (t) => {
  const { accounts, store, now, first, second } = await setUp(t, 2)
  // The store of an attempt whose look at the others comes late: in between the account is enabled again and the other one leaves.
  const late = {
    ...store,
    list: async (...given: Parameters<typeof store.list>) => {
      const seen = await store.list(...given)
      await accounts.enable(operator, first)
      await accounts.disable(operator, second)
      return seen
    },
  } as typeof store
  const attempt = leaveAdministration({ store: late, now }, first, (record) => ({ ...record, status: 'disabled' }))
  await assert.rejects(attempt, (error) => hasCode(error, 'conflict'))
  assert.equal(await countAdministrators(accounts), 1)
})

test('a member is disabled without any administrator', async (t) => {
  const { accounts } = await setUp(t, 0)
  const { id } = await accounts.create(operator, { email: 'member@example.com' })
  assert.equal((await accounts.disable(operator, id)).status, 'disabled')
})
