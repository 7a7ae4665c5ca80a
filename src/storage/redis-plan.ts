/**
 * What a write changes in the indexes of one entry, decided before anything is sent. Pure: `redis-indexes.ts` carries it out.
 * A field whose values change gets the write's own version as its mark, so that whatever is removed later is removed by mark and
 * never takes away what another write has put there since.
 */
import { groupValues, type IndexValue, uniqueValues } from './entry.ts'
import type { Kind } from './kinds.ts'
import { claimKey, groupKey, type Indexed, lifetimeMs, type Raw } from './redis-entry.ts'

/** One claim or one membership of an entry. */
export interface Item {
  readonly sort: 'claim' | 'member'
  readonly key: string
  readonly pair: IndexValue
  readonly mark: string
  readonly place: number
}

export interface Plan {
  readonly kind: Kind
  readonly id: string
  /** Goes into the entry. */
  readonly indexed: Indexed
  /** Before the entry is written. */
  readonly added: readonly Item[]
  /** Stay, and must live longer than they would. */
  readonly extended: readonly Item[]
  /** After the entry is written. */
  readonly dropped: readonly Item[]
  readonly lifetime: number
}

export interface Write {
  readonly id: string
  readonly version: string
  readonly place: number
  readonly value: unknown
  readonly expiresAt?: number
}

/** The plan of a write over `before`, or of a first write. */
export function planWrite(kind: Kind, write: Write, before: Raw<unknown> | undefined, now: number): Plan {
  const indexed = { place: write.place, marks: newMarks(kind, write, before) }
  const after = itemsOf(kind, write.value, indexed)
  const old = before ? itemsOf(kind, before.value, before.indexed) : []
  const has = (items: readonly Item[], item: Item) =>
    items.some(({ key, mark }) => key === item.key && mark === item.mark)
  return {
    kind,
    id: write.id,
    indexed,
    added: after.filter((item) => !has(old, item)),
    extended: before && outlives(write.expiresAt, before.expiresAt) ? after.filter((item) => has(old, item)) : [],
    dropped: old.filter((item) => !has(after, item)),
    lifetime: lifetimeMs(write.expiresAt, now),
  }
}

/** Everything that an entry has in the indexes. */
export function itemsOf(kind: Kind, value: unknown, indexed: Indexed | undefined): readonly Item[] {
  const { marks = {}, place = 0 } = indexed ?? {}
  const claims = uniqueValues(kind, value).map((pair) => ({
    sort: 'claim' as const,
    key: claimKey(kind, ...pair),
    pair,
  }))
  const members = groupValues(kind, value).map((pair) => ({
    sort: 'member' as const,
    key: groupKey(kind, ...pair),
    pair,
  }))
  return [...claims, ...members].map((item) => ({ ...item, mark: marks[item.pair[0]] ?? '', place }))
}

function newMarks(kind: Kind, write: Write, before: Raw<unknown> | undefined): Record<string, string> {
  const marks: Record<string, string> = {}
  for (const valuesOf of [uniqueValues, groupValues]) {
    const [after, old] = [valuesOf(kind, write.value), valuesOf(kind, before?.value)]
    for (const [field] of after) {
      const mark = before?.indexed?.place === write.place ? before.indexed.marks[field] : undefined
      marks[field] = mark !== undefined && sameField(field, after, old) ? mark : write.version
    }
  }
  return marks
}

function sameField(field: string, after: readonly IndexValue[], old: readonly IndexValue[]): boolean {
  const values = (pairs: readonly IndexValue[]) => JSON.stringify(pairs.filter(([name]) => name === field))
  return values(after) === values(old)
}

function outlives(expiresAt: number | undefined, before: number | undefined): boolean {
  return before !== undefined && (expiresAt === undefined || expiresAt > before)
}
