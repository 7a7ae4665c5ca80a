/**
 * What the store promises about its 16 hash-chained logs, and about itself as a whole. Part of `contract.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { chainHash, logOf } from '../../src/storage/chain.ts'
import type { LogRecord } from '../../src/storage/store.ts'
import type { Bench } from './contract.ts'

/** A whole log is one chain: sequences without a gap, every hash made from the one before. */
function assertUnbroken(records: readonly LogRecord[]): void {
  let previous = ''
  records.forEach(({ hash, ...link }, index) => {
    assert.equal(link.sequence, index + 1)
    assert.equal(hash, chainHash(previous, link))
    previous = hash
  })
}

export function logPromises(bench: Bench): void {
  logs(bench)
  wholeStore(bench)
}

function logs(bench: Bench): void {
  test('records of one account are read newest first, page by page, and no others', async () => {
    const accountId = bench.id()
    for (let n = 1; n <= 7; n += 1) {
      await bench.store.append(accountId, { n, text: 'ä', list: ['a'] })
      await bench.other.append(bench.id(), { n })
    }
    const first = await bench.other.read(accountId, { limit: 4 })
    const second = await bench.store.read(accountId, {
      limit: 4,
      ...(first.nextCursor ? { cursor: first.nextCursor } : {}),
    })
    assert.deepEqual(
      [...first.items, ...second.items].map(({ record }) => record['n']),
      [7, 6, 5, 4, 3, 2, 1],
    )
    assert.equal(second.nextCursor, undefined)
    assert.deepEqual(first.items[0]?.record, { n: 7, text: 'ä', list: ['a'] })
    assert.equal(first.items[0]?.at, bench.now())
    assert.deepEqual(await bench.store.read(bench.id()), { items: [] })
  })

  test('append answers with the record as it stands in its log', async () => {
    const accountId = bench.id()
    const appended = await bench.store.append(accountId, { event: 'key.created', nothing: undefined })
    assert.equal(appended.log, logOf(accountId))
    assert.deepEqual(await bench.other.readLog(appended.log, appended.sequence, 1), [appended])
    assert.deepEqual(await bench.other.readLog(appended.log, appended.sequence + 1, 10), [])
  })

  test('the chain of a log stays unbroken under parallel appends of two stores', async () => {
    const accountId = bench.id()
    const log = logOf(accountId)
    const before = (await bench.store.readLog(log, 1, 1000)).length
    const appends = Array.from({ length: 60 }, (_, n) => (n % 2 ? bench.store : bench.other).append(accountId, { n }))
    const sequences = (await Promise.all(appends)).map(({ sequence }) => sequence)
    assert.equal(new Set(sequences).size, 60)
    const records = await bench.other.readLog(log, 1, 1000)
    assert.equal(records.length, before + 60)
    assertUnbroken(records)
    assert.equal((await bench.store.read(accountId, { limit: 100 })).items.length, 60)
  })

  test('every log is one chain of its own', async () => {
    await Promise.all(Array.from({ length: 48 }, (_, n) => bench.store.append(bench.id(), { n })))
    for (let log = 0; log < 16; log += 1) assertUnbroken(await bench.other.readLog(log, 1, 1000))
  })
}

function wholeStore(bench: Bench): void {
  test('ping answers', async () => {
    await bench.store.ping()
  })

  test('inspect finds nothing wrong with a backend set up as the guide says', async () => {
    const report = await bench.store.inspect()
    assert.deepEqual(report.problems, [])
    assert.deepEqual(report.warnings, [])
  })

  test('an id with characters of the engines stays one entry of its own', async () => {
    for (const id of [
      '{a}',
      '{a}b',
      'a:b',
      'a:b:c',
      '*',
      'x\ny',
      "'; DROP TABLE entry; --",
      ' ',
      '\u0000',
      '__proto__',
    ]) {
      await bench.store.put('denied_token', { id, value: { id } }, 'replace')
      assert.deepEqual((await bench.other.find('denied_token', id))?.value, { id })
      assert.equal(await bench.other.remove('denied_token', id), true)
    }
  })

  test('a counter, an entry and a log of one name do not meet', async () => {
    const name = bench.id()
    await bench.store.increment(name, 60)
    await bench.store.append(name, { n: 1 })
    assert.equal(await bench.store.find('meta', name), undefined)
    await assert.rejects(bench.store.read(name, { cursor: '!' }), (error) => hasCode(error, 'invalid_request'))
  })
}
