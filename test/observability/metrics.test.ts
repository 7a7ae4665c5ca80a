/** Counters and histograms: what they are called, that their labels are bounded, and that a measured store is the same store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { measureStore } from '../../src/observability/store-metrics.ts'
import type { Store } from '../../src/storage/store.ts'

test('requests, tokens, sign-ins, refusals and queues are counted', async () => {
  const metrics = createMetrics({ withProcess: false })
  metrics.request('GET', '/keys/:id', 200, 0.004)
  metrics.request('GET', '/keys/:id', 200, 0.02)
  metrics.tokenIssued('refresh_token')
  metrics.signIn('wrong')
  metrics.rateLimited('sign_in_address')
  let waiting = 3
  metrics.watchQueue('passwords', () => waiting)
  const text = await metrics.text()
  for (const line of [
    'licet_http_requests_total{route="/keys/:id",method="GET",status="200"} 2',
    'licet_http_request_seconds_bucket{le="0.005",route="/keys/:id",method="GET"} 1',
    'licet_http_request_seconds_count{route="/keys/:id",method="GET"} 2',
    'licet_tokens_issued_total{grant_type="refresh_token"} 1',
    'licet_sign_ins_total{result="wrong"} 1',
    'licet_rate_limited_total{policy="sign_in_address"} 1',
    'licet_queue_length{queue="passwords"} 3',
  ])
    assert.ok(text.includes(`${line}\n`), `${line}\n${text}`)
  waiting = 0
  assert.match(await metrics.text(), /licet_queue_length\{queue="passwords"\} 0/)
})

test('labels that come from a request are folded into a closed set', async () => {
  const metrics = createMetrics({ withProcess: false })
  metrics.request('PROPFIND', 'none', 404, 0)
  metrics.request('TRACE', 'none', 404, 0)
  metrics.tokenIssued('urn:evil"} 1\nforged 1')
  const text = await metrics.text()
  assert.match(text, /route="none",method="OTHER",status="404"\} 2/)
  assert.match(text, /grant_type="other"\} 1/)
  assert.doesNotMatch(text, /forged|PROPFIND/)
})

test('a measured store answers and fails as the store does, and every call is timed', async () => {
  const metrics = createMetrics({ withProcess: false })
  const calls: unknown[] = []
  const known = {
    find: async (...args: unknown[]) => {
      calls.push(args)
      return { id: 'a' }
    },
    take: async () => Promise.reject(new AppError('store_unavailable', 'down')),
    remove: () => {
      throw new Error('broken')
    },
    close: async () => void calls.push('closed'),
  }
  const store = new Proxy(known, {
    get: (target, name) => Reflect.get(target, name) ?? (async () => name),
  }) as unknown as Store
  let ms = 0
  const measured = measureStore(store, { metrics, elapsed: () => (ms += 3) })
  assert.deepEqual(await measured.find('app', 'x'), { id: 'a' })
  await assert.rejects(measured.take('app', 'x'), { code: 'store_unavailable' })
  await assert.rejects(measured.remove('app', 'x'), /broken/)
  assert.equal(await (measured.ping as () => Promise<unknown>)(), 'ping')
  await measured.close()
  assert.deepEqual(calls, [['app', 'x'], 'closed'])
  const text = await metrics.text()
  assert.match(text, /licet_store_seconds_bucket\{le="0.005",operation="find",outcome="ok"\} 1/)
  assert.match(text, /licet_store_seconds_count\{operation="take",outcome="store_unavailable"\} 1/)
  assert.match(text, /licet_store_seconds_count\{operation="remove",outcome="failed"\} 1/)
})
