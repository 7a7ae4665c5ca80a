/**
 * What the store promises about single entries, unique values and counters. Part of `contract.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { kinds } from '../../src/storage/kinds.ts'
import type { Bench } from './contract.ts'

const sessionUnique = kinds.session.unique
const isConflict = (error: unknown): boolean => hasCode(error, 'conflict')

export function entryPromises(bench: Bench): void {
  singleEntries(bench)
  expiry(bench)
  updates(bench)
  uniqueValues(bench)
  counters(bench)
}

function singleEntries(bench: Bench): void {
  test('an entry is found as it was put, by every store on the backend', async () => {
    const id = `https://app.test/{${bench.id()}}?ä=1`
    const value = { text: 'ä\n"\u0000{}', list: [1, null, { deep: true }], number: 1.5 }
    const put = await bench.store.put('replay', { id, value }, 'create')
    assert.deepEqual(put.value, value)
    assert.deepEqual(await bench.other.find('replay', id), { id, value, version: put.version })
    assert.equal(await bench.store.find('replay', bench.id()), undefined)
    assert.equal(await bench.store.find('meta', id), undefined, 'another kind is another entry')
  })

  test('create refuses an id that exists; replace writes over it with a new version', async () => {
    const id = bench.id()
    const first = await bench.store.put('meta', { id, value: 1 }, 'create')
    await assert.rejects(bench.other.put('meta', { id, value: 2 }, 'create'), isConflict)
    assert.deepEqual((await bench.store.find('meta', id))?.value, 1)
    const second = await bench.other.put('meta', { id, value: 3 }, 'replace')
    assert.notEqual(second.version, first.version)
    assert.deepEqual((await bench.store.find('meta', id))?.value, 3)
  })

  test('take removes and returns; the second caller gets nothing', async () => {
    const id = bench.id()
    await bench.store.put('authorization_code', { id, value: { a: 1 }, expiresAt: bench.now() + 60_000 }, 'create')
    assert.deepEqual((await bench.other.take('authorization_code', id))?.value, { a: 1 })
    assert.equal(await bench.store.take('authorization_code', id), undefined)
    assert.equal(await bench.store.find('authorization_code', id), undefined)
  })

  test('remove says whether a living entry was there', async () => {
    const id = bench.id()
    await bench.store.put('interaction', { id, value: { accountId: 'a' } }, 'create')
    assert.equal(await bench.other.remove('interaction', id), true)
    assert.equal(await bench.store.remove('interaction', id), false)
    assert.equal(await bench.store.find('interaction', id), undefined)
  })

  test('a removed id may be created again', async () => {
    const id = bench.id()
    await bench.store.put('meta', { id, value: 1 }, 'create')
    await bench.store.remove('meta', id)
    await bench.other.put('meta', { id, value: 2 }, 'create')
    assert.equal((await bench.store.find('meta', id))?.value, 2)
  })
}

function expiry(bench: Bench): void {
  test('an entry past its expiresAt by the injected clock is absent for every verb', async () => {
    const [id, taken, removed, updated] = [bench.id(), bench.id(), bench.id(), bench.id()]
    for (const one of [id, taken, removed, updated]) {
      await bench.store.put('replay', { id: one, value: 1, expiresAt: bench.now() + 1000 }, 'create')
    }
    bench.pass(999)
    assert.equal((await bench.store.find('replay', id))?.expiresAt, bench.now() + 1)
    bench.pass(1)
    assert.equal(await bench.store.find('replay', id), undefined)
    assert.equal(await bench.store.take('replay', taken), undefined)
    assert.equal(await bench.store.remove('replay', removed), false)
    assert.deepEqual(await bench.store.update('replay', updated, () => ({ value: 2 })), { changed: false })
    assert.equal((await bench.store.put('replay', { id, value: 2 }, 'create')).value, 2, 'its id is free')
  })

  test('an entry put already expired is absent', async () => {
    const id = bench.id()
    await bench.store.put('replay', { id, value: 1, expiresAt: bench.now() - 3_600_000 }, 'create')
    assert.equal(await bench.other.find('replay', id), undefined)
  })
}

function updates(bench: Bench): void {
  test('update asks change for the new value and keeps expiresAt unless change gives another', async () => {
    const id = bench.id()
    const expiresAt = bench.now() + 60_000
    const put = await bench.store.put('refresh_token', { id, value: { n: 1 }, expiresAt }, 'create')
    const kept = await bench.other.update<{ n: number }>('refresh_token', id, ({ n }) => ({ value: { n: n + 1 } }))
    assert.equal(kept.changed, true)
    assert.equal(kept.entry?.expiresAt, expiresAt)
    assert.notEqual(kept.entry?.version, put.version)
    const moved = await bench.store.update('refresh_token', id, (value) => ({ value, expiresAt: expiresAt + 5 }))
    assert.deepEqual(await bench.other.find('refresh_token', id), moved.entry)
    assert.deepEqual(moved.entry?.value, { n: 2 })
    assert.equal(moved.entry?.expiresAt, expiresAt + 5)
  })

  test('update leaves the entry alone when change returns undefined, and never makes one', async () => {
    const id = bench.id()
    assert.deepEqual(await bench.store.update('meta', id, () => ({ value: 1 })), { changed: false })
    assert.equal(await bench.store.find('meta', id), undefined)
    const put = await bench.store.put('meta', { id, value: 1 }, 'create')
    assert.deepEqual(await bench.store.update('meta', id, () => undefined), { changed: false, entry: put })
  })

  test('an error thrown by change reaches the caller and writes nothing', async () => {
    const id = bench.id()
    const put = await bench.store.put('meta', { id, value: 1 }, 'create')
    const refusal = new TypeError('no')
    const thrown = bench.store.update('meta', id, () => {
      throw refusal
    })
    await assert.rejects(thrown, (error) => error === refusal)
    assert.deepEqual(await bench.store.find('meta', id), put)
  })

  test('update with a known entry that is stale asks again with the entry as it stands', async () => {
    const id = bench.id()
    const known = await bench.store.put<{ n: number }>('meta', { id, value: { n: 1 } }, 'create')
    await bench.other.update('meta', id, () => ({ value: { n: 10 } }))
    const updated = await bench.store.update<{ n: number }>('meta', id, ({ n }) => ({ value: { n: n + 1 } }), known)
    assert.deepEqual(updated.entry?.value, { n: 11 })
  })

  test('update with a known entry that is gone changes nothing', async () => {
    const id = bench.id()
    const known = await bench.store.put('meta', { id, value: 1 }, 'create')
    await bench.other.remove('meta', id)
    assert.deepEqual(await bench.store.update('meta', id, () => ({ value: 2 }), known), { changed: false })
    assert.equal(await bench.store.find('meta', id), undefined)
  })
}

function uniqueValues(bench: Bench): void {
  const account = (emailKey: string) => ({ emailKey, role: 'person', name: 'x' })

  test('findBy finds the one entry that holds a unique value', async () => {
    const [id, email] = [bench.id(), `${bench.id()}@a.test`]
    const put = await bench.store.put('account', { id, value: account(email) }, 'create')
    assert.deepEqual(await bench.other.findBy('account', 'emailKey', email), put)
    assert.equal(await bench.other.findBy('account', 'emailKey', bench.id()), undefined)
    await assert.rejects(bench.store.findBy('account', 'name', 'x'), (error) => hasCode(error, 'invalid_request'))
  })

  test('put refuses a unique value that another living entry holds, in both modes', async () => {
    const [first, second, email] = [bench.id(), bench.id(), bench.id()]
    await bench.store.put('account', { id: first, value: account(email) }, 'create')
    await assert.rejects(bench.other.put('account', { id: second, value: account(email) }, 'create'), isConflict)
    await assert.rejects(bench.other.put('account', { id: second, value: account(email) }, 'replace'), isConflict)
    assert.equal(await bench.store.find('account', second), undefined)
    assert.equal((await bench.store.findBy('account', 'emailKey', email))?.id, first)
    await bench.store.put('account', { id: first, value: account(email) }, 'replace')
    assert.equal((await bench.other.findBy('account', 'emailKey', email))?.id, first, 'its holder may keep it')
  })

  test('a refused create of an existing id leaves the unique values of the entry in place', async () => {
    const [id, email, wanted] = [bench.id(), bench.id(), bench.id()]
    await bench.store.put('account', { id, value: account(email) }, 'create')
    await assert.rejects(bench.other.put('account', { id, value: account(email) }, 'create'), isConflict)
    await assert.rejects(bench.other.put('account', { id, value: account(wanted) }, 'create'), isConflict)
    assert.equal((await bench.store.findBy('account', 'emailKey', email))?.id, id)
    await bench.store.put('account', { id: bench.id(), value: account(wanted) }, 'create')
  })

  for (const act of ['remove', 'take'] as const) {
    test(`${act} frees the unique values at once`, async () => {
      const [first, second, email] = [bench.id(), bench.id(), bench.id()]
      await bench.store.put('account', { id: first, value: account(email) }, 'create')
      await bench.other[act]('account', first)
      assert.equal(await bench.store.findBy('account', 'emailKey', email), undefined)
      await bench.store.put('account', { id: second, value: account(email) }, 'create')
      assert.equal((await bench.other.findBy('account', 'emailKey', email))?.id, second)
    })
  }

  test('update moves the unique value: the new one is found, the old one free', async () => {
    const [first, second, before, after] = [bench.id(), bench.id(), bench.id(), bench.id()]
    await bench.store.put('account', { id: first, value: account(before) }, 'create')
    await bench.other.update('account', first, () => ({ value: account(after) }))
    assert.equal((await bench.store.findBy('account', 'emailKey', after))?.id, first)
    assert.equal(await bench.store.findBy('account', 'emailKey', before), undefined)
    await bench.store.put('account', { id: second, value: account(before) }, 'create')
    await assert.rejects(
      bench.store.update('account', second, () => ({ value: account(after) })),
      isConflict,
    )
    assert.equal((await bench.store.findBy('account', 'emailKey', before))?.id, second)
  })

  test('an expired entry holds no unique value', async () => {
    const [first, second, uid] = [bench.id(), bench.id(), bench.id()]
    const [unique = ''] = sessionUnique
    await bench.store.put('session', { id: first, value: { [unique]: uid }, expiresAt: bench.now() + 1000 }, 'create')
    bench.pass(1000)
    assert.equal(await bench.store.findBy('session', unique, uid), undefined)
    await bench.other.put('session', { id: second, value: { [unique]: uid }, expiresAt: bench.now() + 1000 }, 'create')
    assert.equal((await bench.store.findBy('session', unique, uid))?.id, second)
  })

  test('an entry whose expiry was moved keeps its unique values and groups', async () => {
    const [id, uid, accountId] = [bench.id(), bench.id(), bench.id()]
    const [unique = ''] = sessionUnique
    await bench.store.put(
      'session',
      { id, value: { [unique]: uid, accountId }, expiresAt: bench.now() + 1000 },
      'create',
    )
    await bench.store.update('session', id, (value) => ({ value, expiresAt: bench.now() + 90_000_000 }))
    bench.pass(80_000_000)
    assert.equal((await bench.other.findBy('session', unique, uid))?.id, id)
    const page = await bench.other.list('session', { group: 'accountId', value: accountId })
    assert.deepEqual(
      page.items.map((item) => item.id),
      [id],
    )
  })
}

function counters(bench: Bench): void {
  test('a counter adds up over all stores and forgets itself at the end of its window', async () => {
    const name = `rate:${bench.id()}`
    assert.deepEqual(await bench.store.count(name), { count: 0, resetSeconds: 0 })
    assert.deepEqual(await bench.store.increment(name, 60), { count: 1, resetSeconds: 60 })
    bench.pass(20_500)
    assert.deepEqual(await bench.other.increment(name, 60, 5), { count: 6, resetSeconds: 40 })
    assert.deepEqual(await bench.store.count(name), { count: 6, resetSeconds: 40 })
    bench.pass(39_500)
    assert.deepEqual(await bench.store.count(name), { count: 0, resetSeconds: 0 })
    assert.deepEqual(await bench.other.increment(name, 10), { count: 1, resetSeconds: 10 })
  })
}
