/**
 * A cluster that loses a node or moves slots: other slots go on, moved keys are followed, and nothing acknowledged is lost.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openStore } from '../../src/storage/open.ts'
import { slotOf } from '../../src/storage/redis-slot.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { type RedisSetup, startCluster } from '../support/redis.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { skipWithout } from '../support/tools.ts'
import { assertHistory, isUnavailable, startWriting } from './fault-load.ts'

describe('a Redis Cluster that fails', { skip: skipWithout('redis-server') }, () => {
  let redis: RedisSetup
  let store: Store
  before(async () => {
    redis = await startCluster()
    store = await openStore({ url: redis.url }, { now: Date.now })
  })
  after(async () => {
    await store?.close()
    await redis?.stop()
  })

  const keysOn = async (server: RedisServer) => Number(await server.command('DBSIZE'))

  test('entries of one kind lie on every master', async () => {
    const ids = Array.from({ length: 60 }, (_, index) => `spread-${index}`)
    await Promise.all(ids.map((id) => store.put('grant', { id, value: { accountId: 'one' } }, 'create')))
    for (const server of redis.servers) assert.ok((await keysOn(server)) > 5)
    for (const [index, server] of redis.servers.entries()) {
      for (const key of (await server.command('KEYS', 'licet:e:*')) as string[])
        assert.equal(Math.floor(slotOf(key) / (16384 / 3)), index)
    }
  })

  test('keys in a slot that is being moved are read and written at both ends, and followed afterwards', async () => {
    const [from, to] = redis.servers as [RedisServer, RedisServer]
    const slot = slotOf('{moving}')
    const owner = redis.servers[Math.floor(slot / (16384 / 3))] ?? from
    const target = owner === from ? to : from
    const [ownerId, targetId] = [
      String(await owner.command('CLUSTER', 'MYID')),
      String(await target.command('CLUSTER', 'MYID')),
    ]
    await store.put('meta', { id: '{moving}', value: 1 }, 'create')
    await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ownerId)
    await owner.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId)
    assert.equal((await store.update<number>('meta', '{moving}', (n) => ({ value: n + 1 }))).entry?.value, 2)
    await store.put('replay', { id: '{moving}', value: 'new' }, 'create')
    await owner.command('MIGRATE', '127.0.0.1', target.port, 'licet:e:meta:{moving}', 0, 2000)
    assert.equal((await store.update<number>('meta', '{moving}', (n) => ({ value: n + 1 }))).entry?.value, 3)
    for (const server of [target, owner, ...redis.servers])
      await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', targetId)
    assert.equal((await store.find('meta', '{moving}'))?.value, 3)
    assert.equal((await store.take('replay', '{moving}'))?.value, 'new')
    const both = await Promise.all([
      store.find('meta', '{moving}'),
      store.increment('{moving}', 60),
      store.find('meta', 'spread'),
    ])
    assert.equal(both[0]?.value, 3)
  })

  test('a stopped master makes its own slots unavailable within 1.5 s while the others answer', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `stopped-${index}`)
    await Promise.all(ids.map((id) => store.put('meta', { id, value: id }, 'create')))
    const stopped = redis.servers[2] as RedisServer
    stopped.pause()
    const started = performance.now()
    const outcomes = await Promise.allSettled(ids.map((id) => store.find('meta', id)))
    assert.ok(performance.now() - started < 1500)
    for (const [index, outcome] of outcomes.entries()) {
      const isOnStopped = slotOf(`licet:e:meta:stopped-${index}`) >= Math.ceil((16384 / 3) * 2)
      if (isOnStopped) assert.ok(outcome.status === 'rejected' && isUnavailable(outcome.reason))
      else assert.ok(outcome.status === 'fulfilled' && outcome.value?.value === ids[index])
    }
    stopped.resume()
    await eventually('every slot answers again', () =>
      Promise.all([store.ping(), ...ids.map((id) => store.find('meta', id))]),
    )
  })

  test('a master killed in a burst of writes and restarted has lost nothing that was acknowledged', async () => {
    const load = startWriting(store)
    await eventually('some writes are acknowledged', () => load.acknowledged() > 200)
    const killed = redis.servers[1] as RedisServer
    await killed.kill()
    await eventually('writers notice', () => load.refused() > 0)
    await killed.restart()
    const atRestart = load.acknowledged()
    await eventually('writes go on', () => load.acknowledged() > atRestart + 100, { withinMs: 20_000 })
    await assertHistory(store, await load.stop())
  })
})
