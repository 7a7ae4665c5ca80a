/**
 * Failover behind Sentinel with one declared replica: a write counts only when the replica has it, so no failover loses one.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { type SentinelSetup, startSentinel } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { assertHistory, assertUnavailable, startWriting } from './fault-load.ts'

describe('Redis behind Sentinel that fails', { skip: skipWithout('redis-server') }, () => {
  let redis: SentinelSetup
  let store: Store
  before(async () => {
    redis = await startSentinel()
    store = await openStore({ url: redis.url }, { now: Date.now })
  })
  after(async () => {
    await store?.close()
    await redis?.stop()
  })

  const masterNow = async () => {
    const port = await redis.masterPort()
    return [redis.master, redis.replica].find((server) => server.port === port)
  }
  const follows = async () => String(await (await masterNow())?.command('INFO', 'replication')).includes('state=online')

  test('while the replica does not confirm, durable writes do not count, and everything else goes on', async () => {
    await store.put('meta', { id: 'a', value: 1 }, 'replace')
    redis.replica.pause()
    await assertUnavailable([
      () => store.put('meta', { id: 'b', value: 1 }, 'create'),
      () => store.take('meta', 'c'),
      () => store.append('a', { event: 'x' }),
      () => store.ping(),
    ])
    const writing = store.put('meta', { id: 'd', value: 1 }, 'create').catch(() => undefined)
    const started = performance.now()
    assert.equal((await store.find('meta', 'a'))?.value, 1)
    await store.put('interaction', { id: 'volatile', value: {} }, 'create')
    await store.increment('counter', 60)
    assert.ok(performance.now() - started < 300, 'reads and volatile writes do not wait for the replica')
    await writing
    redis.replica.resume()
    await eventually('durable writes count again', () => store.ping().then(() => true))
  })

  test('a failover on command loses no acknowledged write', async () => {
    await eventually('the replica follows', follows)
    const before = await redis.masterPort()
    const load = startWriting(store)
    await eventually('some writes are acknowledged', () => load.acknowledged() > 200)
    await eventually(
      'the failover is accepted',
      async () => (await redis.sentinels[0]?.command('SENTINEL', 'FAILOVER', 'licet')) === 'OK',
    )
    await eventually('another master is named', async () => ![0, before].includes(await redis.masterPort()))
    const atSwitch = load.acknowledged()
    // Sentinel makes the old master a replica after some 8 s; until then nothing durable counts.
    await eventually('writes go on', () => load.acknowledged() > atSwitch + 100, { withinMs: 30_000 })
    await assertHistory(store, await load.stop())
  })

  test('a master killed in a burst of writes loses no acknowledged write', async () => {
    await eventually('the replica follows', follows)
    const master = await masterNow()
    const load = startWriting(store)
    await eventually('some writes are acknowledged', () => load.acknowledged() > 200)
    await master?.kill()
    await eventually('another master is named', async () => ![0, master?.port].includes(await redis.masterPort()))
    await master?.restart()
    const atSwitch = load.acknowledged()
    await eventually('writes go on once there is a replica again', () => load.acknowledged() > atSwitch + 100, {
      withinMs: 30_000,
    })
    await assertHistory(store, await load.stop())
  })
})
