/**
 * What only the embedded engine has: writes that share a transaction, several processes on its files, crashes in the middle of a write.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { chainHash, logOf } from '../../src/storage/chain.ts'
import { openStore } from '../../src/storage/open.ts'
import { openDatabase } from '../../src/storage/sqlite-database.ts'
import { createWrites } from '../../src/storage/sqlite-writes.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { assertUnavailable, isUnavailable } from './fault-load.ts'
import { usePlace } from './sqlite-place.ts'

const place = usePlace()
const { withStore } = place

describe('writes to the embedded store', () => {
  test('of one turn share one transaction, and a refused one among them harms no other', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'taken', value: 0 }, 'create')
      const writes = Array.from({ length: 200 }, (_, n) =>
        store.put('meta', { id: n === 100 ? 'taken' : `m${n}`, value: n }, 'create'),
      )
      const thrown = store.update('meta', 'taken', () => {
        throw new RangeError('mine')
      })
      const outcomes = await Promise.allSettled(writes)
      await assert.rejects(thrown, RangeError)
      assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
      assert.equal((await store.find('meta', 'taken'))?.value, 0)
      assert.equal((await store.list('meta', { limit: 1000 })).items.length, 200)
      // Two hundred transactions would each write at least one page of 4 kB to the log.
      assert.ok(statSync(`${place.path}-wal`).size < 200 * 4096, 'one transaction')
    })
  })

  test('wait for another process that holds the lock, then are store_unavailable within 1.5 s; reads go on', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      const holder = new DatabaseSync(place.path)
      holder.exec('BEGIN IMMEDIATE')
      const patient = store.put('meta', { id: 'b', value: 1 }, 'create')
      setTimeout(() => holder.exec('COMMIT'), 200)
      await patient
      holder.exec('BEGIN IMMEDIATE')
      const write = assertUnavailable([
        () => store.put('meta', { id: 'c', value: 1 }, 'create'),
        () => store.append('a', { event: 'x' }),
      ])
      assert.equal((await store.find('meta', 'a'))?.value, 1)
      await store.put('interaction', { id: 'volatile', value: {} }, 'create')
      await write
      // Who was refused once is not made to wait again for the same lock.
      const asked = performance.now()
      await assert.rejects(store.put('meta', { id: 'd', value: 1 }, 'create'), isUnavailable)
      assert.ok(performance.now() - asked < 600, 'one attempt, not twenty')
      holder.exec('COMMIT')
      await store.put('meta', { id: 'e', value: 1 }, 'create')
      holder.close()
      assert.equal(await store.find('meta', 'c'), undefined)
      assert.equal(await store.find('meta', 'd'), undefined)
    })
  })

  test('that fail half-way undo themselves and nobody else', async () => {
    const database = openDatabase(place.path, 'FULL')
    const writes = createWrites(database)
    const insert = database.prepare("INSERT INTO entry (kind, id, version, place, value) VALUES ('meta', ?, '', 0, '')")
    const outcomes = await Promise.allSettled([
      writes.run(() => insert.run('before')),
      writes.run(() => {
        insert.run('half')
        throw new RangeError('half-way')
      }),
      writes.run(() => insert.run('after')),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(
      database
        .prepare('SELECT id FROM entry ORDER BY id')
        .all()
        .map(({ id }) => id),
      ['after', 'before'],
    )
    await writes.close()
    database.close()
  })

  test('are store_unavailable while the disk is full, keep nothing of a transaction that failed, and go on afterwards', async () => {
    const database = openDatabase(place.path, 'FULL')
    const writes = createWrites(database)
    const insert = database.prepare("INSERT INTO entry (kind, id, version, place, value) VALUES ('meta', ?, '', 0, ?)")
    const limit = (pages: number) => database.exec(`PRAGMA max_page_count = ${pages}`)
    const rows = () => Number(database.prepare('SELECT count(*) AS n FROM entry').get()?.['n'])
    limit(Number(database.prepare('PRAGMA page_count').get()?.['page_count']) + 2)
    await assertUnavailable([
      () => writes.run(() => insert.run('small', 'x')),
      () => writes.run(() => insert.run('large', 'x'.repeat(100_000))),
      () => writes.run(() => insert.run('behind it', 'x')),
    ])
    assert.equal(rows(), 0)
    limit(1_000_000)
    await writes.run(() => insert.run('large', 'x'.repeat(100_000)))
    assert.equal(rows(), 1)
    await writes.close()
    database.close()
  })

  test('after close are refused', async () => {
    const store = await openStore({ url: `sqlite:${place.path}` }, { now: Date.now })
    const last = store.put('meta', { id: 'a', value: 1 }, 'create')
    await store.close()
    await last
    await assert.rejects(store.put('meta', { id: 'b', value: 1 }, 'create'), isUnavailable)
    await assert.rejects(store.find('meta', 'a'), isUnavailable)
  })
})

describe('several processes on the embedded store', () => {
  const startWriter = (name: string, rounds: number): ChildProcess =>
    spawn(process.execPath, [join(import.meta.dirname, 'sqlite-writer.ts'), place.path, name, String(rounds)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  async function linesOf(child: ChildProcess): Promise<string[]> {
    const lines: string[] = []
    assert.ok(child.stdout)
    for await (const line of createInterface(child.stdout)) lines.push(line)
    return lines
  }

  async function assertUnbroken(store: Store, length: number): Promise<void> {
    const records = await store.readLog(logOf('shared'), 1, 10_000)
    let previous = ''
    for (const [index, { hash, ...link }] of records.entries()) {
      assert.equal(link.sequence, index + 1)
      assert.equal(hash, chainHash(previous, link))
      previous = hash
    }
    assert.ok(records.length >= length)
  }

  test('write at once and lose nothing', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'shared', value: { n: 0 } }, 'create')
      const writers = [startWriter('one', 200), startWriter('two', 200)]
      const ended = Promise.all(writers.map((writer) => once(writer, 'exit')))
      const lines = await Promise.all(writers.map(linesOf))
      assert.deepEqual(await ended, [
        [0, null],
        [0, null],
      ])
      assert.deepEqual(
        lines.map(({ length }) => length),
        [200, 200],
      )
      assert.equal((await store.find<{ n: number }>('meta', 'shared'))?.value.n, 400)
      assert.equal((await store.count('shared')).count, 400)
      assert.equal((await store.list('consent', { group: 'accountId', value: 'two', limit: 1000 })).items.length, 200)
      await assertUnbroken(store, 400)
    })
  })

  test('one killed in a burst of writes has lost nothing that was acknowledged, and the files are sound', async () => {
    await withStore((store) => store.put('meta', { id: 'shared', value: { n: 0 } }, 'create'))
    const writer = startWriter('killed', 1_000_000)
    const lines: string[] = []
    assert.ok(writer.stdout)
    createInterface(writer.stdout).on('line', (line) => lines.push(line))
    const ended = once(writer, 'exit')
    await eventually('it writes', () => lines.length > 150)
    writer.kill('SIGKILL')
    await ended
    assert.ok(existsSync(`${place.path}-wal`), 'it was killed before it could close')
    await withStore(async (store) => {
      for (const id of lines) assert.ok(await store.find('consent', id), `${id} is lost`)
      assert.ok(((await store.find<{ n: number }>('meta', 'shared'))?.value.n ?? 0) >= lines.length)
      await assertUnbroken(store, lines.length)
      assert.deepEqual((await store.inspect()).problems, [])
    })
  })
})
