import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, hasCode } from '../../src/errors.ts'
import { createUsage } from '../../src/keys/usage.ts'
import { reportUsage } from '../../src/keys/usage-report.ts'
import type { Store } from '../../src/storage/store.ts'
import { from, HOME, mustAllow, mustDeny, newKey, onEveryKeyStore, outcome } from '../support/key-desk.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

onEveryKeyStore((desk) => {
  test('figures equal the calls exactly, by hour, day and outcome, over two processes', async () => {
    const { keys, other, newOwner, pass, now } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const limited = async () => ({
      policy: 'api',
      allowed: false,
      limit: 1,
      remaining: 0,
      windowSeconds: 60,
      resetSeconds: 7,
    })
    const begun = now()
    for (let hour = 0; hour < 30; hour += 1) {
      await Promise.all(Array.from({ length: 7 }, (_, index) => (index % 2 ? keys : other).check(credential, from())))
      assert.equal(outcome(await keys.check(credential, from(HOME, { scopes: ['data:write'] }))), 'scope_missing')
      const denied = mustDeny(await other.check(credential, from(HOME, { limit: limited })))
      assert.deepEqual([denied.outside, denied.retryAfterSeconds], ['rate_limited', 7])
      pass(HOUR_MS)
    }
    await Promise.all([keys.flush(), other.flush(), keys.flush(), other.flush()])
    const period = { from: begun, to: now() }
    const byDay = await keys.usage(owned, { ...period, by: 'day' })
    const byHour = await keys.usage(owned, { ...period, by: 'hour' })
    const total = { ok: 210, denied: 30, limited: 30 }
    assert.deepEqual([byDay.total, byHour.total], [total, total])
    assert.deepEqual(
      byDay.buckets.map(({ ok }) => ok),
      [98, 112],
    )
    assert.equal(byHour.buckets.length, 31)
    assert.deepEqual(byHour.buckets[3], { at: begun + 3 * HOUR_MS, ok: 7, denied: 1, limited: 1 })
  })

  test('a call costs no write: what was counted is written in batches, also when the server stops', async () => {
    const { keys, newOwner, store, now } = desk()
    const { id, credential } = await newKey(desk(), newOwner())
    keys.start()
    for (let call = 0; call < 100; call += 1) mustAllow(await keys.check(credential, from()))
    assert.equal(await store.find('key_use', id), undefined)
    await keys.stop()
    assert.deepEqual((await reportUsage({ store, now }, id, {})).total, { ok: 100, denied: 0, limited: 0 })
  })

  test('what could not be written is kept, in order, and a batch whose answer was lost is not counted twice', async () => {
    const { store, now } = desk()
    const subject = `app${now()}`
    let fault: 'none' | 'refuse' | 'lose the answer' = 'none'
    const broken = async (): Promise<never> => {
      throw new AppError('store_unavailable', 'broken')
    }
    const act = async <T>(work: () => Promise<T>): Promise<T> => {
      if (fault === 'refuse') return broken()
      const result = await work()
      return fault === 'lose the answer' ? broken() : result
    }
    const faulty: Store = {
      ...store,
      put: (kind, entry, mode) => act(() => store.put(kind, entry, mode)),
      update: (kind, id, change) => act(() => store.update(kind, id, change)),
    }
    const usage = createUsage({ store: faulty, now })
    const count = () => usage.count(subject, { outcome: 'ok', at: now(), ip: HOME, userAgent: 'x' })
    for (const next of ['none', 'lose the answer', 'refuse', 'lose the answer', 'none'] as const) {
      fault = next
      for (let call = 0; call < 3; call += 1) count()
      assert.equal(await usage.flush(), next === 'none')
    }
    await usage.flush()
    assert.equal((await reportUsage({ store, now }, subject, {})).total.ok, 15)
    const use = await store.find<{ callers: { calls: number }[] }>('key_use', subject)
    assert.deepEqual(
      use?.value.callers.map(({ calls }) => calls),
      [15],
    )
  })

  test('attack: a caller with a new agent for every call fills neither memory nor store', async () => {
    const { keys, newOwner, store } = desk()
    const { id, credential, owned } = await newKey(desk(), newOwner())
    for (let call = 0; call < 500; call += 1) {
      mustAllow(await keys.check(credential, from(`10.0.${call % 250}.1`, { userAgent: `${'a'.repeat(5000)}${call}` })))
    }
    assert.equal((await keys.usage(owned)).total.ok, 500)
    const size = JSON.stringify(await store.find('key_use', id)).length
    assert.ok(size < 40_000, `${size} characters`)
  })

  test('a period has at most 750 buckets and begins before it ends', async () => {
    const { keys, newOwner, now } = desk()
    const { owned } = await newKey(desk(), newOwner())
    const wrong = [
      { from: now(), to: now() - DAY_MS },
      { from: now() - 32 * DAY_MS, to: now(), by: 'hour' as const },
      { from: Number.NaN },
    ]
    for (const period of wrong)
      await assert.rejects(keys.usage(owned, period), (error) => hasCode(error, 'invalid_request'))
    assert.equal((await keys.usage(owned)).buckets.length, 30)
    assert.equal((await keys.usage(owned, { by: 'hour' })).buckets.length, 48)
  })

  test('a quota admits so many calls per window, also in parallel on two processes, and says how it stands', async () => {
    const { keys, other, newOwner } = desk()
    const { credential } = await newKey(desk(), newOwner(), { quota: { requests: 10, windowSeconds: 60 } })
    const first = mustAllow(await keys.check(credential, from()))
    assert.deepEqual([first.quota?.limit, first.quota?.remaining, first.quota?.windowSeconds], [10, 9, 60])
    const calls = Array.from({ length: 30 }, (_, index) => (index % 2 ? keys : other).check(credential, from()))
    const outcomes = (await Promise.all(calls)).map(outcome)
    assert.equal(outcomes.filter((one) => one === 'allowed').length, 9)
    const denied = mustDeny(await keys.check(credential, from()))
    assert.deepEqual([denied.reason, denied.outside], ['quota_exceeded', 'rate_limited'])
    assert.ok((denied.retryAfterSeconds ?? 0) > 0)
    const told = await keys.explain(credential, from())
    assert.deepEqual([told.allowed, !told.allowed && told.reason], [false, 'quota_exceeded'])
  })

  test('explain spends nothing and leaves no mark', async () => {
    const { keys, newOwner, store } = desk()
    const owner = newOwner()
    const { id, credential } = await newKey(desk(), owner, { quota: { requests: 2, windowSeconds: 60 }, callBudget: 2 })
    for (let call = 0; call < 10; call += 1) {
      assert.equal((await keys.explain(credential, from())).allowed, true)
      assert.equal((await keys.explain(credential, from(HOME, { scopes: ['data:write'] }))).allowed, false)
    }
    await keys.flush()
    assert.equal(await store.find('key_use', id), undefined)
    assert.deepEqual((await keys.denials.list(owner.id)).items, [])
    for (const expected of ['allowed', 'allowed', 'quota_exceeded'])
      assert.equal(outcome(await keys.check(credential, from())), expected)
  })

  test('the first use from a new network is told once; the network it was made from is not new', async () => {
    const { keys, other, newOwner, notices } = desk()
    const owner = newOwner()
    const { credential } = await newKey(desk(), owner)
    const use = async (ip: string) => {
      for (const one of [keys, other]) mustAllow(await one.check(credential, from(ip)))
      await Promise.all([keys.flush(), other.flush()])
    }
    for (const ip of [HOME, '203.0.113.200', '198.51.100.1', '198.51.100.99', '2001:db8:5::1', '2001:db8:5:ffff::2'])
      await use(ip)
    const told = notices.filter(({ owner: { id }, event }) => id === owner.id && event === 'new_network')
    assert.deepEqual(
      told.map(({ ip }) => ip),
      ['198.51.100.1', '2001:db8:5::1'],
    )
  })
})
