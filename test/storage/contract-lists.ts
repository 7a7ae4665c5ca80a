/**
 * What the store promises about groups and pages. Part of `contract.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import type { Kind } from '../../src/storage/kinds.ts'
import type { Page, Store } from '../../src/storage/store.ts'
import type { Bench } from './contract.ts'

const ids = (page: Page<unknown>): string[] => page.items.map((item) => item.id)

/** Every id of a list, page by page, and how many pages there were. */
async function walk(store: Store, kind: Kind, options: { group?: string; value?: string; limit: number }) {
  const found: string[] = []
  for (let pages = 1, cursor: string | undefined; ; pages += 1) {
    const page: Page<unknown> = await store.list(kind, { ...options, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...ids(page))
    if (page.nextCursor === undefined) return { found, pages }
    cursor = page.nextCursor
  }
}

export function listPromises(bench: Bench): void {
  groups(bench)
  pages(bench)
  wholeKinds(bench)
}

function groups(bench: Bench): void {
  test('a group lists its entries newest first', async () => {
    const accountId = bench.id()
    const made = [bench.id(), bench.id(), bench.id()]
    for (const id of made) {
      await bench.store.put('grant', { id, value: { accountId } }, 'create')
      bench.pass(1)
    }
    const page = await bench.other.list('grant', { group: 'accountId', value: accountId })
    assert.deepEqual(ids(page), made.toReversed())
    assert.equal(page.nextCursor, undefined)
    assert.deepEqual(ids(await bench.other.list('grant', { group: 'accountId', value: bench.id() })), [])
  })

  test('an update keeps the place of an entry in its group', async () => {
    const accountId = bench.id()
    const [older, newer] = [bench.id(), bench.id()]
    await bench.store.put('grant', { id: older, value: { accountId } }, 'create')
    bench.pass(1)
    await bench.store.put('grant', { id: newer, value: { accountId } }, 'create')
    bench.pass(1)
    await bench.store.update('grant', older, () => ({ value: { accountId, touched: true } }))
    assert.deepEqual(ids(await bench.other.list('grant', { group: 'accountId', value: accountId })), [newer, older])
  })

  test('a field with several values puts an entry into several groups, each once', async () => {
    const [id, one, two] = [bench.id(), bench.id(), bench.id()]
    await bench.store.put('account', { id, value: { emailKey: bench.id(), role: [one, two, one] } }, 'create')
    assert.deepEqual(ids(await bench.store.list('account', { group: 'role', value: one })), [id])
    assert.deepEqual(ids(await bench.other.list('account', { group: 'role', value: two })), [id])
  })

  test('an entry leaves a group when its value changes, when it is removed and when it expires', async () => {
    const [before, after] = [bench.id(), bench.id()]
    const [moved, removed, taken, expired, replaced] = [bench.id(), bench.id(), bench.id(), bench.id(), bench.id()]
    for (const id of [moved, removed, taken, replaced])
      await bench.store.put('mail', { id, value: { state: before } }, 'create')
    await bench.store.put('mail', { id: expired, value: { state: before }, expiresAt: bench.now() + 10 }, 'create')
    await bench.other.update('mail', moved, () => ({ value: { state: after } }))
    await bench.other.remove('mail', removed)
    await bench.other.take('mail', taken)
    await bench.other.put('mail', { id: replaced, value: { state: after } }, 'replace')
    bench.pass(10)
    assert.deepEqual(ids(await bench.store.list('mail', { group: 'state', value: before })), [])
    const arrived = ids(await bench.store.list('mail', { group: 'state', value: after }))
    assert.deepEqual(arrived.toSorted(), [moved, replaced].toSorted())
  })

  test('an entry that left a group and came back is listed once', async () => {
    const [id, home, away] = [bench.id(), bench.id(), bench.id()]
    await bench.store.put('mail', { id, value: { state: home } }, 'create')
    await bench.store.update('mail', id, () => ({ value: { state: away } }))
    await bench.other.update('mail', id, () => ({ value: { state: home } }))
    assert.deepEqual(ids(await bench.other.list('mail', { group: 'state', value: home })), [id])
    assert.deepEqual(ids(await bench.other.list('mail', { group: 'state', value: away })), [])
  })

  test('removeGroup removes every entry of the group and nothing else', async () => {
    const [accountId, stranger, theirs] = [bench.id(), bench.id(), bench.id()]
    const mine = Array.from({ length: 30 }, () => bench.id())
    await Promise.all(
      mine.map((id) => bench.store.put('grant', { id, value: { accountId, sessionUid: id } }, 'create')),
    )
    await bench.store.put('grant', { id: theirs, value: { accountId: stranger } }, 'create')
    assert.equal(await bench.other.removeGroup('grant', 'accountId', accountId), 30)
    const left = await Promise.all(mine.map((id) => bench.store.find('grant', id)))
    assert.ok(left.every((entry) => entry === undefined))
    assert.ok(await bench.store.find('grant', theirs))
    assert.deepEqual(ids(await bench.store.list('grant', { group: 'sessionUid', value: mine[0] ?? '' })), [])
    assert.equal(await bench.store.removeGroup('grant', 'accountId', accountId), 0)
  })

  test('a group that the kind does not have is refused instead of scanned', async () => {
    const refused = (error: unknown) => hasCode(error, 'invalid_request')
    await assert.rejects(bench.store.list('grant', { group: 'clientId', value: 'x' }), refused)
    await assert.rejects(bench.store.removeGroup('grant', 'clientId', 'x'), refused)
  })
}

function pages(bench: Bench): void {
  test('pages of a group follow each other without gap or repetition, also within one millisecond', async () => {
    const accountId = bench.id()
    const made = Array.from({ length: 25 }, () => bench.id())
    for (const id of made) await bench.store.put('consent', { id, value: { accountId } }, 'create')
    const { found, pages } = await walk(bench.other, 'consent', { group: 'accountId', value: accountId, limit: 10 })
    assert.deepEqual(found, made.toReversed())
    assert.equal(pages, 3)
    const whole = await bench.other.list('consent', { group: 'accountId', value: accountId, limit: 25 })
    assert.equal(whole.nextCursor, undefined, 'the last page has no cursor, also when it is full')
  })

  test('a cursor stays valid when the entry it points to is removed', async () => {
    const accountId = bench.id()
    const made = Array.from({ length: 6 }, () => bench.id())
    for (const id of made) await bench.store.put('consent', { id, value: { accountId } }, 'create')
    const group = { group: 'accountId', value: accountId, limit: 3 }
    const first = await bench.store.list('consent', group)
    await bench.store.remove('consent', made[3] ?? '')
    const second = await bench.store.list('consent', { ...group, cursor: first.nextCursor ?? '' })
    assert.deepEqual(ids(second), made.slice(0, 3).toReversed())
  })

  test('a cursor that is not ours is refused', async () => {
    for (const cursor of ['', 'x', 'AAAA', '!']) {
      const listed = bench.store.list('consent', { group: 'accountId', value: 'a', cursor })
      await assert.rejects(listed, (error) => hasCode(error, 'invalid_request'), JSON.stringify(cursor))
    }
  })

  test('a page holds 50 entries when nothing is asked', async () => {
    const accountId = bench.id()
    const made = Array.from({ length: 51 }, () => bench.id())
    await Promise.all(made.map((id) => bench.store.put('interaction', { id, value: { accountId } }, 'create')))
    const first = await bench.store.list('interaction', { group: 'accountId', value: accountId })
    assert.equal(first.items.length, 50)
    assert.ok(first.nextCursor)
  })
}

function wholeKinds(bench: Bench): void {
  test('without a group every living entry of the kind is listed once, and of no other kind', async () => {
    const made = Array.from({ length: 40 }, () => bench.id())
    await Promise.all(made.map((id) => bench.store.put('setup_link', { id, value: 1 }, 'create')))
    const gone = bench.id()
    await bench.store.put('setup_link', { id: gone, value: 1, expiresAt: bench.now() + 1 }, 'create')
    await bench.store.put('meta', { id: bench.id(), value: 1 }, 'create')
    bench.pass(1)
    const { found } = await walk(bench.other, 'setup_link', { limit: 7 })
    assert.deepEqual(found.toSorted(), made.toSorted())
  })
}
