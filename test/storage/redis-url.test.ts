/** Store URLs that name a Redis, and the slots of keys. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { slotOf } from '../../src/storage/redis-slot.ts'
import { parseRedisUrl } from '../../src/storage/redis-url.ts'

const plain = { tls: false, database: 0, masterName: '', replicas: 0 }
const local = { host: '127.0.0.1', port: 6379 }

describe('a Redis URL', () => {
  test('names one server, with credentials, database and TLS', () => {
    assert.deepEqual(parseRedisUrl('redis://127.0.0.1:6379'), { ...plain, mode: 'standalone', addresses: [local] })
    assert.deepEqual(parseRedisUrl('rediss://li:p%40%3Ass@db.test/3?replicas=2'), {
      ...plain,
      mode: 'standalone',
      addresses: [{ host: 'db.test', port: 6379 }],
      tls: true,
      username: 'li',
      password: 'p@:ss',
      database: 3,
      replicas: 2,
    })
    assert.deepEqual(parseRedisUrl('redis://:secret@[::1]:7000').addresses, [{ host: '::1', port: 7000 }])
    assert.equal(parseRedisUrl('redis://:secret@[::1]:7000').password, 'secret')
  })

  test('names sentinels and the master they watch', () => {
    assert.deepEqual(parseRedisUrl('redis+sentinel://a:1,b/main?replicas=1&sentinel_password=s'), {
      ...plain,
      mode: 'sentinel',
      addresses: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
      masterName: 'main',
      sentinelPassword: 's',
      replicas: 1,
    })
  })

  test('names some nodes of a cluster', () => {
    const target = parseRedisUrl('redis+cluster://a:1,b:2')
    assert.equal(target.mode, 'cluster')
    assert.equal(target.addresses.length, 2)
  })

  test('that is wrong is refused without repeating its password', () => {
    const wrong = [
      'redis://',
      'redis://:hunter2@',
      'redis://:hunter2@a:99999',
      'redis://:hunter2@a:b',
      'redis://:hunter2@a/x',
      'redis://:hunter2@a,b c',
      'redis://:hunter2%zz@a',
      'redis://:hunter2@a?replica=1',
      'redis://:hunter2@a?replicas=-1',
      'redis+sentinel://:hunter2@a:1',
      'redis+cluster://:hunter2@a:1/1',
      'redis+unix://:hunter2@a',
      'http://:hunter2@a',
    ]
    for (const url of wrong) {
      assert.throws(
        () => parseRedisUrl(url),
        (error: Error) => hasCode(error, 'invalid_configuration') && !/hunter2/.test(String(error.stack)),
        url,
      )
    }
  })
})

describe('the slot of a key', () => {
  test('is the one of the Redis Cluster specification', () => {
    assert.equal(slotOf('123456789'), 0x31c3)
    assert.equal(slotOf('foo'), 12182)
    assert.equal(slotOf('{user1000}.following'), slotOf('{user1000}.followers'))
    assert.equal(slotOf('foo{}{bar}'), slotOf('foo{}{bar}'))
    assert.notEqual(slotOf('foo{}{bar}'), slotOf('bar'))
    assert.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'))
    assert.equal(slotOf('foo{bar}{zap}'), slotOf('bar'))
  })
})
