/**
 * What the Redis engine does when its server stops, dies, runs full or forgets. A real server each time; nothing acknowledged may be lost.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { type RedisSetup, startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { assertHistory, assertUnavailable, isUnavailable, startWriting } from './fault-load.ts'

const now = Date.now

describe('Redis that fails', { skip: skipWithout('redis-server') }, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let store: Store
  before(async () => {
    redis = await startRedis()
    store = await openStore({ url: redis.url }, { now })
  })
  after(async () => {
    await store?.close()
    await redis?.stop()
  })

  test('a stopped server is store_unavailable within 1.5 s for every verb, and the store recovers by itself', async () => {
    const known = await store.put('meta', { id: 'stopped', value: 1 }, 'replace')
    redis.server.pause()
    await assertUnavailable([
      () => store.find('meta', 'stopped'),
      () => store.findBy('account', 'emailKey', 'x'),
      () => store.list('grant', { group: 'accountId', value: 'x' }),
      () => store.list('meta'),
      () => store.put('meta', { id: 'other', value: 1 }, 'create'),
      () => store.put('account', { id: 'a', value: { emailKey: 'x' } }, 'create'),
      () => store.update('meta', 'stopped', () => ({ value: 2 }), known),
      () => store.take('meta', 'another'),
      () => store.increment('counter', 60),
      () => store.append('a', { event: 'x' }),
      () => store.read('a'),
      () => store.ping(),
      () => store.inspect(),
    ])
    await assertUnavailable([() => store.find('meta', 'stopped')], 'also once the connection is known to be dead')
    redis.server.resume()
    await eventually('the store answers again', () => store.ping().then(() => true), { withinMs: 3000 })
    assert.ok([1, 2].includes((await store.find<number>('meta', 'stopped'))?.value ?? 0))
    await store.append('a', { event: 'after' })
  })

  test('an entry taken while the server is stopped is won at most once', async () => {
    await store.put('authorization_code', { id: 'code', value: 1 }, 'create')
    redis.server.pause()
    const early = await Promise.allSettled(Array.from({ length: 5 }, () => store.take('authorization_code', 'code')))
    assert.ok(early.every((result) => result.status === 'rejected' && isUnavailable(result.reason)))
    redis.server.resume()
    await eventually('the store answers again', () => store.ping().then(() => true))
    const late = await Promise.all(Array.from({ length: 5 }, () => store.take('authorization_code', 'code')))
    assert.ok(late.filter(Boolean).length <= 1)
  })

  test('a server killed in a burst of writes and restarted has lost nothing that was acknowledged', async () => {
    const load = startWriting(store)
    await eventually('some writes are acknowledged', () => load.acknowledged() > 300)
    await redis.server.kill()
    await eventually('writers notice', () => load.refused() > 0)
    await redis.server.restart()
    const atRestart = load.acknowledged()
    await eventually('writes go on', () => load.acknowledged() > atRestart + 100)
    await assertHistory(store, await load.stop())
  })

  test('a server that forgot its scripts is taught them again', async () => {
    await store.put('meta', { id: 'scripted', value: 1 }, 'replace')
    await redis.server.command('SCRIPT', 'FLUSH')
    assert.equal((await store.update<number>('meta', 'scripted', (n) => ({ value: n + 1 }))).entry?.value, 2)
    await redis.server.command('SCRIPT', 'FLUSH')
    const counts = await Promise.all(Array.from({ length: 5 }, () => store.increment('taught', 60)))
    assert.equal(new Set(counts.map(({ count }) => count)).size, 5)
  })

  test('a full server refuses writes with store_unavailable, still answers reads and still lets revoke', async () => {
    await store.put('grant', { id: 'full', value: { accountId: 'full' } }, 'replace')
    await redis.server.command('CONFIG', 'SET', 'maxmemory', '1')
    await assert.rejects(store.put('meta', { id: 'full', value: 1 }, 'create'), isUnavailable)
    await assert.rejects(store.append('full', { event: 'x' }), isUnavailable)
    assert.ok(await store.find('grant', 'full'))
    assert.equal(await store.remove('grant', 'full'), true)
    await redis.server.command('CONFIG', 'SET', 'maxmemory', '0')
    await store.put('meta', { id: 'full', value: 1 }, 'create')
    await store.append('full', { event: 'y' })
  })

  test('entries, claims and groups that expire are gone from the server by themselves', async () => {
    const soon = now() + 1000
    await store.put(
      'session',
      { id: 'soon', value: { uid: 'u', uidDigest: 'u', accountId: 'a' }, expiresAt: soon },
      'create',
    )
    await store.increment('soon', 1)
    const keys = (await redis.server.command('KEYS', '*soon*')) as string[]
    const indexes = (await redis.server.command('KEYS', 'licet:[ug]:session:*')) as string[]
    assert.equal(keys.length, 2)
    assert.equal(indexes.length, 2)
    for (const key of [...keys, ...indexes]) {
      const left = Number(await redis.server.command('PTTL', key))
      assert.ok(left > 0 && left <= 62_000, `${key} lives ${left} ms`)
    }
  })
})

describe('Redis set up in a way that loses data', { skip: skipWithout('redis-server') }, () => {
  let redis: RedisSetup
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis?.stop())

  const inspect = async (url: string, assumeDurable = false) => {
    const store = await openStore({ url, assumeDurable }, { now })
    try {
      return await store.inspect()
    } finally {
      await store.close()
    }
  }
  const set = (name: string, value: string) => redis.servers[0]?.command('CONFIG', 'SET', name, value)

  test('an evicting server is a problem', async () => {
    await set('maxmemory-policy', 'allkeys-lru')
    assert.match((await inspect(redis.url)).problems.join(), /maxmemory-policy is allkeys-lru, it must be noeviction/)
    await set('maxmemory-policy', 'noeviction')
  })

  test('a server that keeps nothing on disk is a problem, one that may lose the last second a warning', async () => {
    await set('appendonly', 'no')
    assert.match((await inspect(redis.url)).problems.join(), /keeps nothing on disk/)
    await set('save', '60 1')
    const saving = await inspect(redis.url)
    assert.deepEqual(saving.problems, [])
    assert.match(saving.warnings.join(), /a crash loses/)
    await set('appendonly', 'yes')
    await set('appendfsync', 'everysec')
    assert.match((await inspect(redis.url)).warnings.join(), /appendfsync everysec/)
    await set('appendfsync', 'always')
  })

  test('declared replicas that are not there are a problem, and no durable write counts', async () => {
    const url = `${redis.url}?replicas=1`
    await assert.rejects(inspect(url), isUnavailable, 'opening writes durably')
  })

  test('a server that hides its configuration is a problem unless the operator vouches for it', async () => {
    const rules = ['on', '>a%2Fb', '~licet:*', '+@all', '-config']
    await redis.servers[0]?.command(
      'ACL',
      'SETUSER',
      'licet',
      'reset',
      ...rules.map((rule) => decodeURIComponent(rule)),
    )
    const url = redis.url.replace('redis://', 'redis://licet:a%2Fb@')
    assert.match((await inspect(url)).problems.join(), /does not show its configuration/)
    const vouched = await inspect(url, true)
    assert.deepEqual(vouched.problems, [])
    assert.match(vouched.warnings.join(), /does not show its configuration/)
  })

  test('a wrong password is reported as such and never repeated in the error', async () => {
    const opened = openStore({ url: redis.url.replace('redis://', 'redis://licet:hunter2hunter2@') }, { now })
    await assert.rejects(opened, (error: Error) => {
      assert.ok(hasCode(error, 'invalid_configuration'))
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /hunter2/)
      return true
    })
  })

  test('data of a newer layout is refused', async () => {
    await redis.servers[0]?.command('SET', 'licet:layout', 2)
    await assert.rejects(openStore({ url: redis.url }, { now }), (error) => hasCode(error, 'invalid_configuration'))
    await redis.servers[0]?.command('SET', 'licet:layout', 1)
  })
})
