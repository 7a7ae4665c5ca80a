/**
 * What happens to keys by itself: an old secret that has been quiet long enough ends, owners hear of keys that expire soon. Of all processes
 * one does each round; a round that a crash cut off is done by the next one. Keys that have expired need nobody: time ends them.
 */
import { hasCode } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import { endOfOld } from '../overlap.ts'
import type { Stored } from '../storage/store.ts'
import { changeEntry, type Desk } from './desk.ts'
import { expiryDayOf, type KeyRecord, toKey } from './key.ts'
import { withOverlapEnded } from './rotation.ts'
import { DAY_MS, HOUR_MS, startOf } from './tally.ts'
import { type LastUse, secretUsedAt } from './usage-records.ts'

const MINUTE_MS = 60_000
const system: Caller = { kind: 'system' }

/** Does what is due. Safe to call at any time, by any number of processes. @throws store_unavailable */
export async function tend(desk: Desk): Promise<void> {
  if (await isMine(desk, 'waiting', MINUTE_MS)) await endWaiting(desk)
  if (await isMine(desk, 'expiring', HOUR_MS)) await tellExpiring(desk)
}

/** True for one process per round. */
async function isMine({ store, now }: Desk, round: string, lengthMs: number): Promise<boolean> {
  const id = `round ${round} ${startOf(now(), lengthMs)}`
  try {
    await store.put('key_notice', { id, value: { at: now() }, expiresAt: now() + lengthMs }, 'create')
    return true
  } catch (error) {
    if (hasCode(error, 'conflict')) return false
    throw error
  }
}

async function endWaiting(desk: Desk): Promise<void> {
  await eachOf(desk, { group: 'waiting', value: 'use' }, async (entry) => {
    const { old, current } = entry.value
    if (!old) return
    const use = await desk.store.find<LastUse>('key_use', entry.id)
    const lastUse = (secret: number) => secretUsedAt(use?.value, String(secret))
    if (endOfOld(old, { oldUsedAt: lastUse(old.number), newUsedAt: lastUse(current.number) }) > desk.now()) return
    const details = old.quietSeconds === undefined ? { new_one_used: true } : { quiet: true }
    const act = { caller: system, entry, event: 'overlap_ended', details }
    await changeEntry(desk, act, (record) => (record.old?.number === old.number ? withOverlapEnded(record) : undefined))
  })
}

/** Seven days and one day before the end, for keys that live longer than that. A day missed while no server ran is made up for. */
async function tellExpiring(desk: Desk): Promise<void> {
  const now = desk.now()
  for (const days of [7, 1] as const) {
    const until = now + days * DAY_MS
    for (const day of new Set([expiryDayOf(until - DAY_MS), expiryDayOf(until)])) {
      await eachOf(desk, { group: 'expiryDay', value: day }, async (entry) => {
        const { expiresAt, createdAt, revoked } = entry.value
        const isDue = !revoked && expiresAt > now && expiresAt <= until && expiresAt - createdAt > days * DAY_MS
        // What expires tomorrow is not said to expire in a week.
        if (!isDue || (days === 7 && expiresAt <= now + DAY_MS)) return
        await desk.notices.tell(`expiring ${days} ${expiresAt}`, {
          event: 'expiring',
          key: toKey(entry, now),
          at: now,
          days,
        })
      })
    }
  }
}

async function eachOf(
  { store }: Desk,
  group: { group: string; value: string },
  act: (entry: Stored<KeyRecord>) => Promise<void>,
): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await store.list<KeyRecord>('key', { ...group, limit: 200, ...(cursor ? { cursor } : {}) })
    for (const entry of page.items) await act(entry)
    cursor = page.nextCursor
  } while (cursor)
}
