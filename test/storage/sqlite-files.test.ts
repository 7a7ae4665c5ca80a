/**
 * What only the embedded engine has: files and their modes, several processes on them, crashes in the middle of a write, damage.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, beforeEach, describe, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { chainHash, logOf } from '../../src/storage/chain.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { eventually } from '../support/ports.ts'
import { assertUnavailable, isUnavailable } from './fault-load.ts'

const root = mkdtempSync(join(tmpdir(), 'licet-files-'))
after(() => rmSync(root, { recursive: true, force: true }))
let directory = ''
let path = ''
beforeEach(() => {
  directory = join(mkdtempSync(join(root, 'x-')), 'data')
  path = join(directory, 'licet.db')
})

/** Opens a store and closes it when the act is over. */
async function withStore<T>(act: (store: Store) => Promise<T>, now: () => number = Date.now): Promise<T> {
  const store = await openStore({ url: `sqlite:${path}` }, { now })
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}

describe('the files of the embedded store', () => {
  test('are 0600 in a directory of 0700, made when missing', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      await store.put('interaction', { id: 'a', value: {} }, 'create')
      assert.equal(statSync(directory).mode & 0o777, 0o700)
      const files = readdirSync(directory)
      assert.deepEqual(files.filter((file) => file.endsWith('.db')).sort(), ['licet-volatile.db', 'licet.db'])
      for (const file of files) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file)
    })
  })

  test('that were readable by others are closed to them; a foreign directory is left as it is, with a warning', async () => {
    mkdirSync(directory, { mode: 0o755 })
    chmodSync(directory, 0o755)
    writeFileSync(path, '', { mode: 0o644 })
    await withStore(async (store) => {
      assert.equal(statSync(path).mode & 0o777, 0o600)
      assert.equal(statSync(directory).mode & 0o777, 0o755)
      assert.match((await store.inspect()).warnings.join(), /mode should be 0700/)
    })
  })

  test('keep durable kinds apart from volatile ones, which may be lost', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      await store.put('interaction', { id: 'a', value: {} }, 'create')
      await store.increment('a', 60)
    })
    for (const file of readdirSync(directory)) if (file.startsWith('licet-volatile')) rmSync(join(directory, file))
    await withStore(async (store) => {
      assert.ok(await store.find('meta', 'a'))
      assert.equal(await store.find('interaction', 'a'), undefined)
    })
  })

  test('that are damaged stop the start with a sentence about a backup', async () => {
    await withStore((store) => store.put('meta', { id: 'a', value: 'x'.repeat(50_000) }, 'create'))
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(8 * 4096, 0xff), 0, 8 * 4096, 4096)
    closeSync(file)
    await assert.rejects(
      withStore(async () => {}),
      (error: Error) => hasCode(error, 'invalid_configuration') && /backup/.test(error.message),
    )
  })

  test('that are no database, or of a newer version, are refused and left alone', async () => {
    mkdirSync(directory)
    writeFileSync(path, 'not a database '.repeat(100))
    await assert.rejects(
      withStore(async () => {}),
      (error) => hasCode(error, 'invalid_configuration'),
    )
    rmSync(path)
    await withStore(async () => {})
    const newer = new DatabaseSync(path)
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
        const rows = (table: string) => count(path, table) + count(join(directory, 'licet-volatile.db'), table)
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
      assert.ok(statSync(`${path}-wal`).size < 200 * 4096, 'one transaction')
    })
  })

  test('wait for another process that holds the lock, then are store_unavailable within 1.5 s; reads go on', async () => {
    await withStore(async (store) => {
      await store.put('meta', { id: 'a', value: 1 }, 'create')
      const holder = new DatabaseSync(path)
      holder.exec('BEGIN IMMEDIATE')
      const write = assertUnavailable([
        () => store.put('meta', { id: 'b', value: 1 }, 'create'),
        () => store.append('a', { event: 'x' }),
      ])
      assert.equal((await store.find('meta', 'a'))?.value, 1)
      await store.put('interaction', { id: 'volatile', value: {} }, 'create')
      await write
      const patient = store.put('meta', { id: 'c', value: 1 }, 'create')
      setTimeout(() => holder.exec('COMMIT'), 200)
      await patient
      holder.close()
      assert.equal(await store.find('meta', 'b'), undefined)
    })
  })

  test('after close are refused', async () => {
    const store = await openStore({ url: `sqlite:${path}` }, { now: Date.now })
    const last = store.put('meta', { id: 'a', value: 1 }, 'create')
    await store.close()
    await last
    await assert.rejects(store.put('meta', { id: 'b', value: 1 }, 'create'), isUnavailable)
    await assert.rejects(store.find('meta', 'a'), isUnavailable)
  })
})

describe('several processes on the embedded store', () => {
  const startWriter = (name: string, rounds: number): ChildProcess =>
    spawn(process.execPath, [join(import.meta.dirname, 'sqlite-writer.ts'), path, name, String(rounds)], {
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
    assert.ok(existsSync(`${path}-wal`), 'it was killed before it could close')
    await withStore(async (store) => {
      for (const id of lines) assert.ok(await store.find('consent', id), `${id} is lost`)
      assert.ok(((await store.find<{ n: number }>('meta', 'shared'))?.value.n ?? 0) >= lines.length)
      await assertUnbroken(store, lines.length)
      assert.deepEqual((await store.inspect()).problems, [])
    })
  })
})
