/**
 * Pages of entries in Redis: groups by their sorted sets, whole kinds by walking the keys of every master.
 * A member that its entry does not confirm is skipped, and dropped when it is old.
 */
import { fromCursor, type IndexValue, isAlive, toCursor, unavailable } from './entry.ts'
import type { Kind } from './kinds.ts'
import { type Entries, readRaw } from './redis-entries.ts'
import { decodeMember, entryPattern, groupKey, idOfKey, type Member, prefixForm, type Raw } from './redis-entry.ts'
import type { Indexes } from './redis-indexes.ts'
import type { Lanes } from './redis-lanes.ts'

/** Keys looked at in one step of a walk, and steps of one page: a page of a rare kind may be short, with a cursor to go on. */
const scanCount = 1000
const scanSteps = 200
const removeBatch = 100

export interface ListPage {
  readonly items: readonly Raw<unknown>[]
  readonly nextCursor?: string
}

export interface Lists {
  group(kind: Kind, pair: IndexValue, cursor: string | undefined, limit: number): Promise<ListPage>
  whole(kind: Kind, cursor: string | undefined, limit: number): Promise<ListPage>
  removeGroup(kind: Kind, pair: IndexValue): Promise<number>
}

export interface ListTools {
  readonly lanes: Lanes
  readonly indexes: Indexes
  readonly entries: Entries
  readonly now: () => number
}

interface Found {
  readonly member: Member
  readonly entry: Raw<unknown>
}

export function createLists({ lanes, indexes, entries, now }: ListTools): Lists {
  /** Up to `count` confirmed members below `from`, newest first. */
  async function members(kind: Kind, pair: IndexValue, from: string, count: number): Promise<Found[]> {
    const key = groupKey(kind, ...pair)
    const found: Found[] = []
    const stale: string[] = []
    for (let start = from, more = true; more && found.length < count; ) {
      const size = count - found.length
      const batch = (await lanes.send({
        name: 'zrevrangebylex',
        keys: [key],
        args: [start, '-', 'LIMIT', 0, size],
      })) as string[]
      const raws = await Promise.all(batch.map((text) => readRaw(lanes, kind, decodeMember(text).id)))
      batch.forEach((text, index) => {
        const [member, entry] = [decodeMember(text), raws[index]]
        if (entry && indexes.confirms(entry, pair, member)) found.push({ member, entry })
        else stale.push(text)
      })
      more = batch.length === size
      start = `(${batch.at(-1)}`
    }
    await indexes.drop(key, stale)
    return found
  }

  async function removeConfirmed(kind: Kind, pair: IndexValue, { member, entry }: Found): Promise<boolean> {
    for (let current: Raw<unknown> | undefined = entry; current && indexes.confirms(current, pair, member); ) {
      const outcome = await entries.removeVersion(kind, current)
      if (outcome === 'removed') return true
      current = outcome
    }
    return false
  }

  return {
    async group(kind, pair, cursor, limit) {
      const from = cursor === undefined ? '+' : `(${fromCursor(cursor, prefixForm)[0]}`
      const found = await members(kind, pair, from, limit + 1)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      const items = page.map(({ entry }) => entry)
      return found.length > limit && last ? { items, nextCursor: toCursor(last.member.prefix) } : { items }
    },
    async whole(kind, cursor, limit) {
      const walk = startWalk(cursor)
      const items: Raw<unknown>[] = []
      const nodes = lanes.masters()
      for (let step = 0; walk.node < nodes.length && step < scanSteps; step += 1) {
        const [next, keys] = await scan(nodes[walk.node], kind, walk.position)
        const fresh = keys.filter((key) => key > walk.after)
        const raws = await Promise.all(fresh.map((key) => readRaw(lanes, kind, idOfKey(kind, key))))
        for (const [index, raw] of raws.entries()) {
          if (!raw || !isAlive(raw, now())) continue
          if (items.length === limit) return { items, nextCursor: formatWalk(walk) }
          items.push(raw)
          walk.after = fresh[index] ?? ''
        }
        walk.after = ''
        walk.position = next
        if (next === '0') walk.node += 1
      }
      return walk.node < nodes.length ? { items, nextCursor: formatWalk(walk) } : { items }
    },
    async removeGroup(kind, pair) {
      let removed = 0
      for (let from = '+', more = true; more; ) {
        const found = await members(kind, pair, from, removeBatch)
        const outcomes = await Promise.all(found.map((one) => removeConfirmed(kind, pair, one)))
        removed += outcomes.filter(Boolean).length
        more = found.length === removeBatch
        from = `(${found.at(-1)?.member.prefix}`
      }
      return removed
    },
  }
}

/** Where a walk over all keys stands: which master, its scan position, and the last key of that step which was given out. */
interface Walk {
  node: number
  position: string
  after: string
}

function startWalk(cursor: string | undefined): Walk {
  if (cursor === undefined) return { node: 0, position: '0', after: '' }
  const [, node, position = '0', after = ''] = fromCursor(cursor, /^s(\d{1,4}) (\d{1,20}) (.*)$/s)
  return { node: Number(node), position, after }
}

function formatWalk({ node, position, after }: Walk): string {
  return toCursor(`s${node} ${position} ${after}`)
}

/** One step: the next position and the keys of the kind, sorted, each once. */
async function scan(
  node: ReturnType<Lanes['masters']>[number] | undefined,
  kind: Kind,
  position: string,
): Promise<[string, string[]]> {
  try {
    const answer = await node?.scan(position, 'MATCH', entryPattern(kind), 'COUNT', scanCount)
    const [next, keys] = answer ?? ['0', []]
    return [next, [...new Set(keys)].sort()]
  } catch (error) {
    throw unavailable(error)
  }
}
