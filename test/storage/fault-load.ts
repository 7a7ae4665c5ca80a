/**
 * A load of writes for fault tests that remembers what was acknowledged, and the check that all of it is still true afterwards.
 */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { hasCode } from '../../src/errors.ts'
import { randomId } from '../../src/secrets.ts'
import { chainHash, logOf } from '../../src/storage/chain.ts'
import type { Store } from '../../src/storage/store.ts'

export const isUnavailable = (error: unknown): boolean => hasCode(error, 'store_unavailable')

/** Every act fails with `store_unavailable`, tells when to come back, and does so within 1.5 s. */
export async function assertUnavailable(acts: readonly (() => Promise<unknown>)[], message = ''): Promise<void> {
  const started = performance.now()
  const outcomes = await Promise.allSettled(acts.map((act) => act()))
  const took = performance.now() - started
  for (const [index, outcome] of outcomes.entries()) {
    assert.ok(outcome.status === 'rejected', `${acts[index]} answered. ${message}`)
    assert.ok(hasCode(outcome.reason, 'store_unavailable'), `${acts[index]}: ${outcome.reason}. ${message}`)
    assert.equal(outcome.reason.details.retryAfterSeconds, 1)
  }
  assert.ok(took < 1500, `took ${took} ms. ${message}`)
}

/** What the store acknowledged. */
export interface History {
  readonly created: readonly string[]
  readonly taken: readonly string[]
  /** Last acknowledged count of each account. */
  readonly counted: ReadonlyMap<string, number>
  readonly logged: readonly { accountId: string; sequence: number }[]
}

export interface Load {
  acknowledged(): number
  refused(): number
  /** Ends the writers. @throws the first error that was not `store_unavailable`. */
  stop(): Promise<History>
}

/** Four writers, each creating, updating, taking and logging one entry after the other. They go on through failures. */
export function startWriting(store: Store): Load {
  const created: string[] = []
  const taken: string[] = []
  const counted = new Map<string, number>()
  const logged: { accountId: string; sequence: number }[] = []
  let refused = 0
  let stopped = false

  async function round(accountId: string): Promise<void> {
    const id = randomId()
    await store.put('consent', { id, value: { accountId } }, 'create')
    created.push(id)
    await store.put('refresh_token', { id, value: {}, expiresAt: Date.now() + 600_000 }, 'create')
    const before = counted.get(accountId) ?? 0
    await store.update<{ n: number }>('account', accountId, (value) => ({
      value: { ...value, n: Math.max(value.n, before) + 1 },
    }))
    counted.set(accountId, before + 1)
    const link = await store.append(accountId, { id })
    logged.push({ accountId, sequence: link.sequence })
    if (await store.take('refresh_token', id)) taken.push(id)
  }

  async function begin(accountId: string): Promise<void> {
    await store.put('account', { id: accountId, value: { emailKey: accountId, n: 0 } }, 'create')
  }

  async function write(): Promise<void> {
    const accountId = randomId()
    await begin(accountId)
    while (!stopped) {
      try {
        await round(accountId)
      } catch (error) {
        if (!isUnavailable(error)) throw error
        refused += 1
        await pause(20)
      }
    }
  }

  const writers = Array.from({ length: 4 }, write)
  return {
    acknowledged: () => created.length,
    refused: () => refused,
    async stop() {
      stopped = true
      await Promise.all(writers)
      return { created, taken, counted, logged }
    },
  }
}

/** Everything acknowledged is still so: what was created is there and in its group, what was taken is gone, the logs are whole. */
export async function assertHistory(store: Store, history: History): Promise<void> {
  const lost = await pick(history.created, async (id) => (await store.find('consent', id)) === undefined)
  assert.deepEqual(lost, [], 'created entries that are lost')
  const revived = await pick(history.taken, async (id) => (await store.find('refresh_token', id)) !== undefined)
  assert.deepEqual(revived, [], 'taken entries that came back')
  for (const [accountId, n] of history.counted) {
    const account = await store.findBy<{ n: number }>('account', 'emailKey', accountId)
    assert.ok((account?.value.n ?? 0) >= n, 'updates that are lost')
    const members = await countMembers(store, accountId)
    assert.ok(
      members >= history.logged.filter((one) => one.accountId === accountId).length,
      'members that a group lost',
    )
  }
  for (const log of new Set(history.logged.map(({ accountId }) => logOf(accountId)))) {
    const sequences = await assertWholeLog(store, log)
    for (const one of history.logged)
      if (logOf(one.accountId) === log) assert.ok(one.sequence <= sequences, 'records that are lost')
  }
}

async function pick(ids: readonly string[], isWrong: (id: string) => Promise<boolean>): Promise<string[]> {
  const wrong = await Promise.all(ids.map(isWrong))
  return ids.filter((_, index) => wrong[index])
}

async function countMembers(store: Store, accountId: string): Promise<number> {
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const page = await store.list('consent', {
      group: 'accountId',
      value: accountId,
      limit: 500,
      ...(cursor ? { cursor } : {}),
    })
    count += page.items.length
    if (page.nextCursor === undefined) return count
    cursor = page.nextCursor
  }
}

async function assertWholeLog(store: Store, log: number): Promise<number> {
  let previous = ''
  for (let sequence = 1; ; ) {
    const records = await store.readLog(log, sequence, 500)
    for (const { hash, ...link } of records) {
      assert.equal(link.sequence, sequence)
      assert.equal(hash, chainHash(previous, link))
      previous = hash
      sequence += 1
    }
    if (records.length < 500) return sequence - 1
  }
}
