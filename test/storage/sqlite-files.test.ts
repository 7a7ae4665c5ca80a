/**
 * What only the embedded engine has: files, their modes, their damage, and what is swept from them.
 */
import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { openStore } from '../../src/storage/open.ts'
import { eventually } from '../support/ports.ts'
import { usePlace } from './sqlite-place.ts'

const place = usePlace()
const { withStore } = place

describe('the files of the embedded store', () => {
  test('are none for a store in memory, which production is told about', async () => {
    const store = await openStore({ url: 'sqlite::memory:' }, { now: Date.now })
    await store.put('meta', { id: 'a', value: 1 }, 'create')
    await store.put('interaction', { id: 'a', value: {} }, 'create')
    assert.equal((await store.find('meta', 'a'))?.value, 1)
    assert.match(String((await store.inspect()).problems), /in memory/)
    await store.close()
    assert.ok(!readdirSync('.').some((name) => name.includes(':memory:')))
  })

  test('are 0600 in a directory of 0700, made when missing', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      await store.put('interaction', { id: 'a', value: {} }, 'create')
      assert.equal(statSync(place.directory).mode & 0o777, 0o700)
      const files = readdirSync(place.directory)
      assert.deepEqual(files.filter((file) => file.endsWith('.db')).sort(), ['licet-volatile.db', 'licet.db'])
      for (const file of files) assert.equal(statSync(join(place.directory, file)).mode & 0o777, 0o600, file)
    })
  })

  test('that were readable by others are closed to them; a foreign directory is left as it is, with a warning', async () => {
    mkdirSync(place.directory, { mode: 0o755 })
    chmodSync(place.directory, 0o755)
    writeFileSync(place.path, '', { mode: 0o644 })
    await withStore(async (store) => {
      assert.equal(statSync(place.path).mode & 0o777, 0o600)
      assert.equal(statSync(place.directory).mode & 0o777, 0o755)
      assert.match((await store.inspect()).warnings.join(), /mode should be 0700/)
    })
  })

  test('keep durable kinds apart from volatile ones, which may be lost', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      await store.put('interaction', { id: 'a', value: {} }, 'create')
      await store.increment('a', 60)
    })
    for (const file of readdirSync(place.directory))
      if (file.startsWith('licet-volatile')) rmSync(join(place.directory, file))
    await withStore(async (store) => {
      assert.ok(await store.find('meta', 'a'))
      assert.equal(await store.find('interaction', 'a'), undefined)
    })
  })

  test('that are damaged stop the start with a sentence about a backup', async () => {
    await withStore((store) => store.put('meta', { id: 'a', value: 'x'.repeat(50_000) }, 'create'))
    const file = openSync(place.path, 'r+')
    writeSync(file, Buffer.alloc(8 * 4096, 0xff), 0, 8 * 4096, 4096)
    closeSync(file)
    await assert.rejects(
      withStore(async () => {}),
      (error: Error) => hasCode(error, 'invalid_configuration') && /backup/.test(error.message),
    )
  })

  test('that are no database, or of a newer version, are refused and left alone', async () => {
    mkdirSync(place.directory)
    writeFileSync(place.path, 'not a database '.repeat(100))
    await assert.rejects(
      withStore(async () => {}),
      (error) => hasCode(error, 'invalid_configuration'),
    )
    rmSync(place.path)
    await withStore(async () => {})
    const newer = new DatabaseSync(place.path)
    newer.exec('PRAGMA user_version = 2')
    newer.close()
    await assert.rejects(
      withStore(async () => {}),
      (error) => hasCode(error, 'invalid_configuration'),
    )
  })

  test('lose what has expired at the next sweep, with its indexes, a minute later', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let time = Date.now()
    await withStore(
      async (store) => {
        const expiresAt = time + 1000
        const ids = Array.from({ length: 700 }, (_, n) => `s${n}`)
        await Promise.all(
          ids.map((id) =>
            store.put('session', { id, value: { uid: id, uidDigest: id, accountId: 'a' }, expiresAt }, 'create'),
          ),
        )
        await store.put('session', { id: 'kept', value: { accountId: 'a' } }, 'create')
        await store.increment('gone', 1)
        const rows = (table: string) =>
          count(place.path, table) + count(join(place.directory, 'licet-volatile.db'), table)
        time += 62_000
        t.mock.timers.tick(60_000)
        await eventually('the sweep is done', () => rows('entry') === 1 && rows('counter') === 0)
        assert.equal(rows('group_member'), 1)
        assert.equal(rows('unique_value'), 0)
        assert.ok(await store.find('session', 'kept'))
      },
      () => time,
    )
  })
})

function count(file: string, table: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const found = Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  database.close()
  return found
}
