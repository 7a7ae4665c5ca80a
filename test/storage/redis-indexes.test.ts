/**
 * Unique values and groups in Redis when a writer dies half-way, and what plain acts cost. Leftovers are made by hand, in the layout of
 * `src/storage/redis-entry.ts`.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { randomId } from '../../src/secrets.ts'
import { createPlaces, createVersions } from '../../src/storage/entry.ts'
import { type Kind, kinds } from '../../src/storage/kinds.ts'
import { openRedisStore } from '../../src/storage/redis.ts'
import { createEntries, isDurable, readRaw } from '../../src/storage/redis-entries.ts'
import { createIndexes } from '../../src/storage/redis-indexes.ts'
import { type Lanes, openLanes } from '../../src/storage/redis-lanes.ts'
import { writeScript } from '../../src/storage/redis-scripts.ts'
import { parseRedisUrl } from '../../src/storage/redis-url.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'

const isConflict = (error: unknown) => hasCode(error, 'conflict')
const mark = 'x'.repeat(24)

describe('indexes in Redis', { skip: skipWithout('redis-server') }, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let store: Store
  /** A store that believes after 50 ms that the writer of an unconfirmed claim has died. */
  let hasty: Store
  let time = Date.now()
  const now = () => time
  const command = (...args: (string | number)[]) => redis.server.command(...args)
  before(async () => {
    redis = await startRedis()
    store = await openRedisStore(redis.url, { now, assumeDurable: false })
    hasty = await openRedisStore(redis.url, { now, assumeDurable: false, claimGraceMs: 50 })
  })
  after(async () => {
    await store?.close()
    await hasty?.close()
    await redis?.stop()
  })
  beforeEach(async () => {
    await command('FLUSHALL')
    time = Date.now()
  })

  const leaveClaim = (value: string, id: string, madeAt: number) =>
    command('SET', `licet:u:account:emailKey:${value}`, `${mark}${String(madeAt).padStart(15, '0')}${id}`)

  test('a fresh claim that no entry confirms is respected: its writer may be at work', async () => {
    await leaveClaim('a@test', 'ghost', Date.now())
    await assert.rejects(store.put('account', { id: 'b', value: { emailKey: 'a@test' } }, 'create'), isConflict)
    assert.equal(await store.findBy('account', 'emailKey', 'a@test'), undefined)
  })

  test('a claim whose writer died is taken over, by exactly one of many', async () => {
    await leaveClaim('a@test', 'ghost', Date.now() - 11_000)
    const racers = Array.from({ length: 20 }, (_, n) =>
      store.put('account', { id: `r${n}`, value: { emailKey: 'a@test' } }, 'create'),
    )
    const outcomes = await Promise.allSettled(racers)
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1)
    assert.ok(outcomes.every((outcome) => outcome.status === 'fulfilled' || isConflict(outcome.reason)))
    assert.ok(await store.findBy('account', 'emailKey', 'a@test'))
  })

  test('a claim that a living entry confirms is never taken over, however old it is', async () => {
    await store.put('account', { id: 'a', value: { emailKey: 'a@test' } }, 'create')
    await leaveClaim('a@test', 'a', 1)
    await assert.rejects(hasty.put('account', { id: 'b', value: { emailKey: 'a@test' } }, 'create'), isConflict)
  })

  test('a claim whose holder has another value by now is taken over once it is old', async () => {
    await store.put('account', { id: 'a', value: { emailKey: 'new@test' } }, 'create')
    await leaveClaim('old@test', 'a', Date.now())
    await assert.rejects(store.put('account', { id: 'b', value: { emailKey: 'old@test' } }, 'create'), isConflict)
    await eventually('the grace is over', () =>
      hasty.put('account', { id: 'b', value: { emailKey: 'old@test' } }, 'create'),
    )
    assert.equal((await store.findBy('account', 'emailKey', 'old@test'))?.id, 'b')
    assert.equal((await store.findBy('account', 'emailKey', 'new@test'))?.id, 'a')
  })

  test('a refused write gives back the claims it made', async () => {
    await store.put('account', { id: 'a', value: { emailKey: 'a@test' } }, 'create')
    await assert.rejects(
      store.put('account', { id: 'a', value: { emailKey: 'b@test', role: 'admin' } }, 'create'),
      isConflict,
    )
    assert.deepEqual(await command('KEYS', '*b@test'), [])
    assert.deepEqual(await command('KEYS', 'licet:g:*'), [])
  })

  test('a writer that slept until its claim was taken over does not stay beside the new holder', async () => {
    const lanes = await openLanes(parseRedisUrl(redis.url))
    let slept = false
    /** The network as the sleeper sees it: between its claim and its write, eleven seconds pass and another account is made. */
    const sleepy: Lanes = {
      ...lanes,
      async send(call) {
        if (call.name !== writeScript || slept) return lanes.send(call)
        slept = true
        time += 11_000
        await eventually('the claim looks abandoned', () =>
          hasty.put('account', { id: 'thief', value: { emailKey: 'a@test' } }, 'create'),
        )
        return lanes.send(call)
      },
    }
    const read = (kind: Kind, id: string) => readRaw(lanes, kind, id)
    const indexes = createIndexes({ lanes: sleepy, now, claimGraceMs: 10_000, isDurable, read })
    const tools = { nextVersion: createVersions(), nextPlace: createPlaces(now) }
    const sleeper = createEntries({ lanes: sleepy, indexes, now, ...tools })
    await assert.rejects(sleeper.put('account', { id: 'sleeper', value: { emailKey: 'a@test' } }, 'create'), isConflict)
    assert.equal(await store.find('account', 'sleeper'), undefined)
    assert.equal((await store.findBy('account', 'emailKey', 'a@test'))?.id, 'thief')
    await lanes.close()
  })

  test('a member that no entry confirms is not listed, and is dropped when its writer must be dead', async () => {
    const group = 'licet:g:grant:accountId:a'
    const place = String(Date.now() * 1000).padStart(16, '0')
    const old = `${place}${mark}${String(Date.now() - 61_000).padStart(15, '0')}ghost`
    const fresh = `${place}${'y'.repeat(24)}${String(Date.now()).padStart(15, '0')}ghost`
    await command('ZADD', group, 0, old, 0, fresh)
    await store.put('grant', { id: 'real', value: { accountId: 'a' } }, 'create')
    const page = await store.list('grant', { group: 'accountId', value: 'a' })
    assert.deepEqual(
      page.items.map(({ id }) => id),
      ['real'],
    )
    const left = (await command('ZRANGE', group, 0, -1)) as string[]
    assert.ok(!left.includes(old) && left.includes(fresh), 'the fresh one may belong to a writer at work')
  })

  test('a member forged for an entry that never joined the group is not believed', async () => {
    await store.put('grant', { id: 'hers', value: { accountId: 'her' } }, 'create')
    const forged = `${'9'.repeat(16)}${mark}${String(Date.now()).padStart(15, '0')}hers`
    await command('ZADD', 'licet:g:grant:accountId:mallory', 0, forged)
    assert.deepEqual((await store.list('grant', { group: 'accountId', value: 'mallory' })).items, [])
    assert.equal(await store.removeGroup('grant', 'accountId', 'mallory'), 0)
    assert.ok(await store.find('grant', 'hers'))
  })

  test('a group whose entries keep expiring does not grow without bound', async () => {
    for (let round = 0; round < 12; round += 1) {
      const entries = Array.from({ length: 64 }, () => ({
        id: randomId(),
        value: { accountId: 'a' },
        expiresAt: time + 1000,
      }))
      await Promise.all(entries.map((entry) => store.put('session', entry, 'create')))
      await ageMembers('licet:g:session:accountId:a')
      time += 2000
    }
    const size = Number(await command('ZCARD', 'licet:g:session:accountId:a'))
    assert.ok(size < 400, `${size} members of 768 are left`)
  })

  /** Lets every member look as if it had joined two minutes earlier. */
  async function ageMembers(key: string): Promise<void> {
    const members = (await command('ZRANGE', key, 0, -1)) as string[]
    const aged = members.map(
      (member) => member.slice(0, 40) + String(Date.now() - 120_000).padStart(15, '0') + member.slice(55),
    )
    await command('ZREM', key, ...members)
    await command('ZADD', key, ...aged.flatMap((member) => [0, member]))
  }

  test('claims and groups live as long as an entry whose expiry is moved', async () => {
    const [unique = ''] = kinds.session.unique
    const value = { [unique]: 'u', accountId: 'a' }
    await store.put('session', { id: 's', value, expiresAt: time + 1000 }, 'create')
    const left = async (): Promise<number[]> => {
      const keys = (await command('KEYS', 'licet:[ug]:session:*')) as string[]
      return Promise.all(keys.map(async (key) => Number(await command('PTTL', key))))
    }
    assert.ok((await left()).every((ms) => ms > 0 && ms <= 61_000))
    await store.update('session', 's', () => ({ value, expiresAt: time + 3_600_000 }))
    assert.deepEqual(
      (await left()).map((ms) => ms > 3_600_000),
      [true, true],
    )
    await store.put('session', { id: 's', value }, 'replace')
    assert.deepEqual(await left(), [-1, -1], 'and for ever when it stays for ever')
  })

  test('removing an entry leaves nothing behind', async () => {
    await store.put('account', { id: 'a', value: { emailKey: 'a@test', role: ['x', 'y'] } }, 'create')
    await store.update('account', 'a', () => ({ value: { emailKey: 'b@test', role: ['y', 'z'] } }))
    await store.put('account', { id: 'a', value: { emailKey: 'c@test', role: 'z' } }, 'replace')
    await store.remove('account', 'a')
    assert.deepEqual(await command('KEYS', 'licet:[eug]:*'), [])
  })

  const commandCalls = async () => {
    const lines = String(await command('INFO', 'commandstats')).split('\r\n')
    const clientCommands = /^cmdstat_(get|set|getdel|eval|evalsha|zrevrangebylex):calls=(\d+)/
    return lines.reduce((sum, line) => sum + Number(clientCommands.exec(line)?.[2] ?? 0), 0)
  }

  test('find, take, put without indexes and update of a known entry are one command each', async () => {
    const known = await store.put('meta', { id: 'm', value: 1 }, 'create')
    const indexed = await store.put('grant', { id: 'g', value: { accountId: 'a', n: 1 } }, 'create')
    const acts: [string, () => Promise<unknown>, number][] = [
      ['find', () => store.find('meta', 'm'), 1],
      ['create', () => store.put('meta', { id: 'm2', value: 1 }, 'create'), 2],
      ['replace', () => store.put('meta', { id: 'm', value: 2 }, 'replace'), 1],
      [
        'update of a known entry with indexes',
        () => store.update('grant', 'g', () => ({ value: { accountId: 'a', n: 2 } }), indexed),
        2,
      ],
      ['take', () => store.take('meta', 'm2'), 1],
    ]
    assert.ok(known)
    for (const [name, act, most] of acts) {
      await command('CONFIG', 'RESETSTAT')
      await act()
      // A script counts for itself and for the one SET inside.
      assert.ok((await commandCalls()) <= most, `${name} took ${await commandCalls()} commands`)
    }
  })
})
