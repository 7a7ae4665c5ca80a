/**
 * The Redis engine: keeps the promises of `store.ts` on a single server, behind Sentinel or on a cluster. Joins the parts: lanes carry
 * commands, entries and indexes hold what is stored, lists page it, the log chains records. Nothing here knows how Redis is reached.
 */
import { AppError } from '../errors.ts'
import { createPlaces, createVersions, pageLimit, requireIndex, unavailable } from './entry.ts'
import { createEntries, isDurable, readRaw } from './redis-entries.ts'
import { counterKey, marginMs, toStored } from './redis-entry.ts'
import { createIndexes } from './redis-indexes.ts'
import { inspectServers } from './redis-inspect.ts'
import { type Lanes, openLanes } from './redis-lanes.ts'
import { createLists } from './redis-lists.ts'
import { createLog } from './redis-log.ts'
import { countScript } from './redis-scripts.ts'
import { parseRedisUrl, type RedisTarget } from './redis-url.ts'
import type { Counted, Store, Stored } from './store.ts'

/** The layout of keys and envelopes. An older program refuses a newer layout instead of damaging it. */
const layout = 1
const layoutKey = 'licet:layout'

/** A claim of a unique value that no entry confirms is respected this long: its writer may still be at work. */
const defaultClaimGraceMs = 10_000

export interface RedisTools {
  readonly now: () => number
  readonly assumeDurable: boolean
  readonly claimGraceMs?: number
}

/** Opens the store behind a Redis URL. @throws AppError `invalid_configuration` for a wrong URL or a newer layout; `store_unavailable`. */
export async function openRedisStore(url: string, tools: RedisTools): Promise<Store> {
  const target = parseRedisUrl(url)
  const lanes = await openLanes(target)
  try {
    await requireLayout(lanes)
  } catch (error) {
    await lanes.close()
    throw error
  }
  return createStore(lanes, target, tools)
}

async function requireLayout(lanes: Lanes): Promise<void> {
  await lanes.send({ name: 'set', keys: [layoutKey], args: [layout, 'NX'], durable: true })
  const found = Number(await lanes.send({ name: 'get', keys: [layoutKey] }))
  if (found > layout)
    throw new AppError('invalid_configuration', 'The data in this Redis was written by a newer version.')
}

function createStore(
  lanes: Lanes,
  target: RedisTarget,
  { now, assumeDurable, claimGraceMs = defaultClaimGraceMs }: RedisTools,
): Store {
  const indexes = createIndexes({ lanes, now, claimGraceMs, isDurable, read: (kind, id) => readRaw(lanes, kind, id) })
  const entries = createEntries({ lanes, indexes, now, nextVersion: createVersions(), nextPlace: createPlaces(now) })
  const lists = createLists({ lanes, indexes, entries, now })
  const log = createLog(lanes, now)
  const counted = (count: unknown, ends: unknown): Counted => ({
    count: Number(count),
    resetSeconds: Math.ceil((Number(ends) - now()) / 1000),
  })

  return {
    find: entries.find,
    async findBy(kind, field, value) {
      requireIndex(kind, 'unique', field)
      return entries.findBy(kind, field, value)
    },
    async list<V>(kind: Parameters<Store['list']>[0], options: Parameters<Store['list']>[1] = {}) {
      const { group, value = '', cursor } = options
      const limit = pageLimit(options.limit)
      if (group !== undefined) requireIndex(kind, 'groups', group)
      const page =
        group === undefined
          ? await lists.whole(kind, cursor, limit)
          : await lists.group(kind, [group, value], cursor, limit)
      return { ...page, items: page.items.map((raw) => toStored(raw) as Stored<V>) }
    },
    put: entries.put,
    update: entries.update,
    take: entries.take,
    remove: async (kind, id) => (await entries.take(kind, id)) !== undefined,
    async removeGroup(kind, group, value) {
      requireIndex(kind, 'groups', group)
      return lists.removeGroup(kind, [group, value])
    },
    async increment(counter, windowSeconds, by = 1) {
      const args = [now(), windowSeconds * 1000, by, marginMs]
      const [count, ends] = (await lanes.send({ name: countScript, keys: [counterKey(counter)], args })) as [
        string,
        string,
      ]
      return counted(count, ends)
    },
    async count(counter) {
      const [count, ends] = String((await lanes.send({ name: 'get', keys: [counterKey(counter)] })) ?? '').split(' ')
      return Number(ends ?? 0) > now() ? counted(count, ends) : { count: 0, resetSeconds: 0 }
    },
    append: log.append,
    read: (accountId, options = {}) => log.read(accountId, options.cursor, pageLimit(options.limit)),
    readLog: log.readLog,
    ping: () => ping(lanes, now()),
    async inspect() {
      const engine = target.mode === 'standalone' ? 'redis' : `redis ${target.mode}`
      try {
        return await inspectServers(lanes.masters(), { engine, replicas: target.replicas, assumeDurable })
      } catch (error) {
        throw unavailable(error)
      }
    },
    close: lanes.close,
  }
}

/** Writes a key beside each of the 16 logs: every audited act needs those slots, and on a cluster they lie on all masters. */
async function ping(lanes: Lanes, time: number): Promise<void> {
  const logs = Array.from({ length: 16 }, (_, log) => `licet:log:{${log}}:ping`)
  await Promise.all(
    logs.map((key) => lanes.send({ name: 'set', keys: [key], args: [time, 'PX', marginMs], durable: true })),
  )
}
