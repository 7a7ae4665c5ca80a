/** Attacks on the limits: spellings of one address, bursts, several processes, a store that is down (threats.md RL). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, hasCode } from '../../src/errors.ts'
import { canonicalAddress } from '../../src/security/addresses.ts'
import { limitKeys } from '../../src/security/network.ts'
import { createRateLimiter, type Limit, rateLimitHeaders } from '../../src/security/rate-limit.ts'
import type { Store } from '../../src/storage/store.ts'

type Counters = Pick<Store, 'increment' | 'count'> & { calls: number; isDown: boolean; names: Set<string> }

/** A counter that several limiters share, as processes share a store; every call takes a turn of the event loop. */
function sharedCounters(clock: { ms: number }): Counters {
  const counters = new Map<string, { count: number; endsAt: number }>()
  return {
    calls: 0,
    isDown: false,
    names: new Set(),
    count(counter) {
      return this.increment(counter, 1, 0)
    },
    async increment(counter, windowSeconds, by = 1) {
      this.calls += 1
      this.names.add(counter)
      await new Promise(setImmediate)
      if (this.isDown) throw new AppError('store_unavailable', 'The store is down.')
      const known = counters.get(counter)
      const living = known && known.endsAt > clock.ms ? known : { count: 0, endsAt: clock.ms + windowSeconds * 1000 }
      living.count += by
      counters.set(counter, living)
      return { count: living.count, resetSeconds: Math.ceil((living.endsAt - clock.ms) / 1000) }
    },
  }
}

function setUp<P extends string>(policies: Record<P, Limit>, clock = { ms: 1_000_000 }, store = sharedCounters(clock)) {
  const refused: string[] = []
  const limiter = createRateLimiter({
    store,
    policies,
    now: () => clock.ms,
    addressKeys: limitKeys,
    onRefused: (policy) => refused.push(policy),
  })
  return { clock, store, limiter, refused }
}

const admitted = async (attempts: readonly Promise<unknown>[]): Promise<number> =>
  (await Promise.allSettled(attempts)).filter(({ status }) => status === 'fulfilled').length
const times = <T>(count: number, act: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => act(index))

test('RL1 rotating through one /64 in every spelling is one caller', async () => {
  const { limiter } = setUp({ sign_in_address: { limit: 10, windowSeconds: 60 } })
  const address = (index: number) =>
    canonicalAddress(
      index % 2 ? `2001:DB8:0:7::${index.toString(16)}` : `2001:0db8:0000:0007:0:0:0:${index.toString(16)}`,
    ) ?? ''
  assert.equal(await admitted(times(40, (index) => limiter.enforceAddress('sign_in_address', address(index)))), 10)
  const mapped = ['203.0.113.9', '::ffff:203.0.113.9', '::ffff:cb00:7109', '0:0:0:0:0:FFFF:203.0.113.9'].map(
    (text) => canonicalAddress(text) ?? '',
  )
  assert.equal(
    await admitted(times(40, (index) => limiter.enforceAddress('sign_in_address', mapped[index % 4] ?? ''))),
    10,
  )
})

test('RL1 rotating through the /64s of one /48 ends at sixteen times the limit', async () => {
  const { limiter } = setUp({ sign_in_address: { limit: 3, windowSeconds: 60 } })
  const many = times(200, (index) =>
    limiter.enforceAddress('sign_in_address', canonicalAddress(`2001:db8:1:${index.toString(16)}::1`) ?? ''),
  )
  assert.equal(await admitted(many), 48)
})

test('RL3 a burst of 500 at once is admitted to the limit exactly, on one process and on two', async () => {
  for (const limit of [5, 199, 200, 333]) {
    const clock = { ms: 0 }
    const store = sharedCounters(clock)
    const [one, two] = [
      setUp({ api_credential: { limit, windowSeconds: 60 } }, clock, store),
      setUp({ api_credential: { limit, windowSeconds: 60 } }, clock, store),
    ]
    const alone = setUp({ api_credential: { limit, windowSeconds: 60 } })
    assert.equal(await admitted(times(500, () => alone.limiter.enforce('api_credential', 'key'))), limit)
    const both = await admitted(times(500, (index) => (index % 2 ? one : two).limiter.enforce('api_credential', 'key')))
    assert.ok(both <= limit && both >= Math.floor(limit * 0.95), `${both} of ${limit}`)
  }
})

test('RL3 the next window begins anew, a clock that steps back does not', async () => {
  const { limiter, clock } = setUp({
    token_client: { limit: 200, windowSeconds: 60 },
    sign_in_address: { limit: 2, windowSeconds: 60 },
  })
  const spend = () =>
    Promise.all([
      admitted(times(300, () => limiter.enforce('token_client', 'app'))),
      admitted(times(5, () => limiter.enforce('sign_in_address', 'a'))),
    ])
  assert.deepEqual(await spend(), [200, 2])
  clock.ms -= 30_000
  assert.deepEqual(await spend(), [0, 0])
  clock.ms += 90_001
  assert.deepEqual(await spend(), [200, 2])
})

test('RL3 many processes, or one that starts again and again, refuse nobody who is far below the limit', async () => {
  const clock = { ms: 0 }
  const store = sharedCounters(clock)
  const another = () => setUp({ token_client: { limit: 600, windowSeconds: 60 } }, clock, store).limiter
  const crowd = times(64, another)
  const even = times(400, (index) => crowd[index % crowd.length]?.enforce('token_client', 'spread'))
  assert.equal(await admitted(even as Promise<unknown>[]), 400)
  const restarted = times(400, () => another().enforce('token_client', 'restarted'))
  assert.equal(await admitted(restarted), 400)
})

test('a large limit costs the store one call in twenty-five, and a caller beyond it none', async () => {
  const { limiter, store } = setUp({ token_client: { limit: 600, windowSeconds: 60 } })
  for (const _ of times(600, () => 0)) await limiter.enforce('token_client', 'app')
  assert.equal(store.calls, 24)
  assert.equal(await admitted(times(100, () => limiter.enforce('token_client', 'app'))), 0)
  assert.ok(store.calls <= 25, String(store.calls))
})

test('RL4 with the store down sign-in and registration are refused with 503, tokens counted per process, metadata open', async () => {
  const { limiter, store } = setUp({
    sign_in_address: { limit: 10, windowSeconds: 60 },
    sign_in_account: { limit: 5, windowSeconds: 900 },
    registration_address: { limit: 5, windowSeconds: 60 },
    code_somebody_adds_later: { limit: 5, windowSeconds: 60 },
    token_client: { limit: 200, windowSeconds: 60 },
    metadata_address: { limit: 10, windowSeconds: 60 },
  })
  store.isDown = true
  for (const policy of [
    'sign_in_address',
    'sign_in_account',
    'registration_address',
    'code_somebody_adds_later',
  ] as const)
    await assert.rejects(limiter.enforce(policy, 'a'), (error) => hasCode(error, 'store_unavailable'), policy)
  assert.equal(await admitted(times(300, () => limiter.enforce('token_client', 'app'))), 200)
  assert.equal(await admitted(times(50, () => limiter.enforce('metadata_address', 'a'))), 50)
  const calls = store.calls
  await limiter.enforce('metadata_address', 'a')
  assert.equal(store.calls, calls, 'a store that has just failed is left alone')
})

test('RL4 a store that comes back is used again within a second', async () => {
  const { limiter, store, clock } = setUp({ token_client: { limit: 200, windowSeconds: 60 } })
  store.isDown = true
  await limiter.enforce('token_client', 'app')
  store.isDown = false
  clock.ms += 1_001
  const calls = store.calls
  await limiter.enforce('token_client', 'app')
  assert.equal(store.calls, calls + 1)
})

test('parallel guesses cannot pass before the first is judged, and a right one costs nothing', async () => {
  const { limiter } = setUp({ sign_in_account: { limit: 5, windowSeconds: 900 } })
  const allowed = (await Promise.all(times(20, () => limiter.take('sign_in_account', 'a@b.test')))).filter(
    (standing) => standing?.allowed,
  )
  assert.equal(allowed.length, 5)
  for (const _ of times(10, () => 0)) {
    assert.equal((await limiter.take('sign_in_account', 'other'))?.allowed, true)
    await limiter.giveBack('sign_in_account', 'other')
  }
})

test('a refusal says which policy, how long to wait and how the caller stands', async () => {
  const { limiter, refused, clock } = setUp({ sign_in_address: { limit: 1, windowSeconds: 60 } })
  const standing = await limiter.enforce('sign_in_address', 'a')
  assert.deepEqual(standing && rateLimitHeaders(standing), {
    'RateLimit-Policy': '"sign_in_address";q=1;w=60',
    RateLimit: '"sign_in_address";r=0;t=60',
    'X-RateLimit-Limit': '1',
    'X-RateLimit-Remaining': '0',
    'X-RateLimit-Reset': '60',
  })
  clock.ms += 20_500
  await assert.rejects(limiter.enforce('sign_in_address', 'a'), (error) => {
    assert.ok(hasCode(error, 'rate_limited'))
    assert.deepEqual(
      [error.status, error.details.policy, error.details.retryAfterSeconds],
      [429, 'sign_in_address', 40],
    )
    assert.equal(error.details.headers?.['RateLimit'], '"sign_in_address";r=0;t=40')
    return true
  })
  assert.deepEqual(refused, ['sign_in_address'])
})

test('a policy that is off counts nothing; keys neither reveal a mailbox nor grow without bound', async () => {
  const { limiter, store } = setUp({ a: 'off', b: null, c: { limit: 5, windowSeconds: 60 } })
  assert.equal(await limiter.enforce('a', 'x'), undefined)
  assert.equal(await limiter.enforce('b', 'x'), undefined)
  assert.equal(store.calls, 0)
  await limiter.enforce('c', 'ann@example.test')
  await limiter.enforce('c', 'x'.repeat(100_000))
  for (const name of store.names) {
    assert.doesNotMatch(name, /ann/)
    assert.ok(name.length < 100)
  }
})

test('looking at a limit counts nothing, and says what is left', async () => {
  const { limiter } = setUp({ sign_in_address: { limit: 3, windowSeconds: 60 } })
  const remaining = async () => (await limiter.look('sign_in_address', 'one'))?.remaining
  assert.deepEqual([await remaining(), await remaining()], [3, 3])
  await limiter.take('sign_in_address', 'one')
  assert.deepEqual([await remaining(), await remaining()], [2, 2])
})
