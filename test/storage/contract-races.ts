/**
 * What the store promises when many callers act at once through two stores. Part of `contract.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'
import type { Bench } from './contract.ts'

/** Starts `count` acts at once, alternating between the two stores. */
function race<T>(
  bench: Bench,
  count: number,
  act: (store: Store, index: number) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  const acts = Array.from({ length: count }, (_, index) => act(index % 2 ? bench.other : bench.store, index))
  return Promise.allSettled(acts)
}

const succeeded = <T>(results: PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))

/** Every caller that lost was told `conflict` and nothing else. */
function assertLosersConflict(results: PromiseSettledResult<unknown>[]): void {
  for (const result of results)
    if (result.status === 'rejected') assert.ok(hasCode(result.reason, 'conflict'), result.reason)
}

export function racePromises(bench: Bench): void {
  singleUse(bench)
  contention(bench)
  uniqueness(bench)
}

function singleUse(bench: Bench): void {
  test('20 callers take one entry and exactly one gets it', async () => {
    for (const kind of ['authorization_code', 'device_code'] as const) {
      const id = bench.id()
      await bench.store.put(kind, { id, value: { userCodeDigest: id } }, 'create')
      const results = await race(bench, 20, (store) => store.take(kind, id))
      assert.equal(succeeded(results).length, 20)
      assert.equal(succeeded(results).filter((entry) => entry !== undefined).length, 1)
    }
  })

  test('20 callers remove one entry and exactly one is told that it was there', async () => {
    const id = bench.id()
    await bench.store.put('grant', { id, value: { accountId: id } }, 'create')
    const results = await race(bench, 20, (store) => store.remove('grant', id))
    assert.deepEqual(succeeded(results).filter(Boolean), [true])
  })

  test('of 20 racing creators of one id exactly one succeeds, and its value is the one that stays', async () => {
    for (const kind of ['replay', 'session'] as const) {
      const id = bench.id()
      const results = await race(bench, 20, (store, index) => store.put(kind, { id, value: { index } }, 'create'))
      assertLosersConflict(results)
      const winners = succeeded(results)
      assert.equal(winners.length, 1)
      assert.deepEqual(await bench.store.find(kind, id), winners[0])
    }
  })
}

function contention(bench: Bench): void {
  test('50 contended updates lose nothing', async () => {
    for (const kind of ['meta', 'account'] as const) {
      const id = bench.id()
      const known = await bench.store.put<{ n: number; emailKey: string }>(
        kind,
        { id, value: { n: 0, emailKey: id } },
        'create',
      )
      const results = await race(bench, 50, (store, index) => {
        const change = (value: typeof known.value) => ({ value: { ...value, n: value.n + 1 } })
        return index % 3 ? store.update(kind, id, change) : store.update(kind, id, change, known)
      })
      assert.equal(succeeded(results).filter((updated) => updated.changed).length, 50)
      assert.equal((await bench.other.find<{ n: number }>(kind, id))?.value.n, 50)
    }
  })

  test('an update that races with a removal never brings the entry back', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = bench.id()
      const known = await bench.store.put('session', { id, value: { accountId: id } }, 'create')
      const change = () => ({ value: { accountId: id, signedIn: true } })
      await race<unknown>(bench, 10, (store, index) =>
        index === 5 ? store.remove('session', id) : store.update('session', id, change, known),
      )
      assert.equal(await bench.store.find('session', id), undefined)
      assert.deepEqual((await bench.store.list('session', { group: 'accountId', value: id })).items, [])
    }
  })

  test('racing additions to a counter each see a different count', async () => {
    const name = bench.id()
    const counts = succeeded(await race(bench, 40, (store) => store.increment(name, 60))).map(({ count }) => count)
    assert.deepEqual(
      counts.toSorted((left, right) => left - right),
      Array.from({ length: 40 }, (_, index) => index + 1),
    )
  })
}

function uniqueness(bench: Bench): void {
  test('of 20 racing creators of one unique value exactly one succeeds', async () => {
    const emailKey = bench.id()
    const results = await race(bench, 20, (store) =>
      store.put('account', { id: bench.id(), value: { emailKey } }, 'create'),
    )
    assertLosersConflict(results)
    const winners = succeeded(results)
    assert.equal(winners.length, 1)
    assert.equal((await bench.store.findBy('account', 'emailKey', emailKey))?.id, winners[0]?.id)
  })

  test('racing creators of one id and one unique value leave one entry that is found by its value', async () => {
    const [id, emailKey] = [bench.id(), bench.id()]
    const results = await race(bench, 20, (store, index) =>
      store.put('account', { id, value: { emailKey, index } }, 'create'),
    )
    assertLosersConflict(results)
    assert.equal(succeeded(results).length, 1)
    assert.deepEqual(await bench.other.findBy('account', 'emailKey', emailKey), succeeded(results)[0])
    const thief = bench.store.put('account', { id: bench.id(), value: { emailKey } }, 'create')
    await assert.rejects(thief, (error) => hasCode(error, 'conflict'))
  })

  test('20 accounts that race to change to one address leave it with exactly one', async () => {
    const wanted = bench.id()
    const accounts = Array.from({ length: 20 }, () => bench.id())
    await Promise.all(accounts.map((id) => bench.store.put('account', { id, value: { emailKey: id } }, 'create')))
    const results = await race(bench, 20, (store, index) =>
      store.update('account', accounts[index] ?? '', () => ({ value: { emailKey: wanted } })),
    )
    assertLosersConflict(results)
    assert.equal(succeeded(results).length, 1)
    const values = await Promise.all(accounts.map((id) => bench.store.find<{ emailKey: string }>('account', id)))
    assert.equal(values.filter((entry) => entry?.value.emailKey === wanted).length, 1)
  })

  test('an entry whose unique value and group flip to and fro is found by its last value, in its last group', async () => {
    const [id, one, two] = [bench.id(), bench.id(), bench.id()]
    await bench.store.put('account', { id, value: { emailKey: one, role: one } }, 'create')
    await race(bench, 30, (store, index) =>
      store.update('account', id, () => ({
        value: index % 3 ? { emailKey: one, role: one } : { emailKey: two, role: two },
      })),
    )
    const last = (await bench.store.find<{ emailKey: string }>('account', id))?.value.emailKey ?? ''
    const other = last === one ? two : one
    assert.equal((await bench.other.findBy('account', 'emailKey', last))?.id, id)
    assert.equal(await bench.other.findBy('account', 'emailKey', other), undefined)
    assert.equal((await bench.other.list('account', { group: 'role', value: last })).items.length, 1)
    assert.equal((await bench.other.list('account', { group: 'role', value: other })).items.length, 0)
  })
}
