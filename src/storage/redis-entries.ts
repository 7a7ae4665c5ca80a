/**
 * Entries in Redis: one string key each, changed by compare-and-set. A kind without indexes needs one round trip for every act;
 * with indexes, `redis-indexes.ts` prepares what a write claims and joins, and lets go of what it leaves behind.
 */
import { conflict, holds, isAlive, unavailable } from './entry.ts'
import { type Kind, kinds } from './kinds.ts'
import {
  claimKey,
  decodeClaim,
  decodeEntry,
  encodeEntry,
  entryKey,
  type Indexed,
  lifetimeMs,
  type Raw,
} from './redis-entry.ts'
import type { Indexes } from './redis-indexes.ts'
import type { Lanes } from './redis-lanes.ts'
import { itemsOf, planWrite } from './redis-plan.ts'
import { removeScript, writeScript } from './redis-scripts.ts'
import type { Change, Entry, Stored, Updated } from './store.ts'

/** Every attempt that fails means that another writer succeeded; so many in a row mean that something else is wrong. */
const attempts = 500

/** A write that finds itself this long under way asks whether its claims were taken over meanwhile. */
const slowWriteMs = 5000

export interface Entries {
  find<V>(kind: Kind, id: string): Promise<Stored<V> | undefined>
  findBy<V>(kind: Kind, field: string, value: string): Promise<Stored<V> | undefined>
  put<V>(kind: Kind, entry: Entry<V>, mode: 'create' | 'replace'): Promise<Stored<V>>
  update<V>(kind: Kind, id: string, change: Change<V>, known?: Stored<V>): Promise<Updated<V>>
  take<V>(kind: Kind, id: string): Promise<Stored<V> | undefined>
  /** Removes the entry if it still has that version; otherwise answers with what is there. */
  removeVersion(kind: Kind, raw: Raw<unknown>): Promise<'removed' | Raw<unknown> | undefined>
}

export interface EntryTools {
  readonly lanes: Lanes
  readonly indexes: Indexes
  readonly now: () => number
  readonly nextVersion: () => string
  readonly nextPlace: () => number
}

export const isDurable = (kind: Kind): boolean => kinds[kind].durable
const isIndexed = (kind: Kind): boolean => kinds[kind].unique.length + kinds[kind].groups.length > 0

/** Reads an entry as it lies there, expired or not. */
export async function readRaw<V>(lanes: Lanes, kind: Kind, id: string): Promise<Raw<V> | undefined> {
  const envelope = await lanes.send({ name: 'get', keys: [entryKey(kind, id)] })
  return typeof envelope === 'string' ? decodeEntry<V>(id, envelope) : undefined
}

export function createEntries({ lanes, indexes, now, nextVersion, nextPlace }: EntryTools): Entries {
  /** What entries that were handed out have in the indexes: an update of a known entry needs no read then. */
  const remembered = new WeakMap<object, Indexed>()

  function handOut<V>({ indexed, ...stored }: Raw<V>): Stored<V> {
    if (indexed) remembered.set(stored, indexed)
    return stored
  }

  const living = <V>(raw: Raw<V> | undefined): Raw<V> | undefined => (raw && isAlive(raw, now()) ? raw : undefined)

  async function compareAndSet<V>(kind: Kind, expected: string, raw: Raw<V>): Promise<'written' | Raw<V> | undefined> {
    const args = [expected, raw.version, encodeEntry(raw), lifetimeMs(raw.expiresAt, now()), now()]
    const answer = await lanes.send({
      name: writeScript,
      keys: [entryKey(kind, raw.id)],
      args,
      durable: isDurable(kind),
    })
    if (answer === 1) return 'written'
    return typeof answer === 'string' ? decodeEntry<V>(raw.id, answer) : undefined
  }

  /** Writes over `before` (or nothing). Answers with the new entry, or with `missed`: what somebody else wrote in between. */
  async function write<V>(
    kind: Kind,
    entry: Entry<V>,
    before: Raw<V> | undefined,
  ): Promise<{ written: Raw<V> } | { missed?: Raw<V> | undefined }> {
    const version = nextVersion()
    const expected = before?.version ?? ''
    if (!isIndexed(kind)) {
      const raw: Raw<V> = { ...entry, version }
      const outcome = await compareAndSet(kind, expected, raw)
      return outcome === 'written' ? { written: raw } : { missed: outcome }
    }
    const started = now()
    const place = living(before)?.indexed?.place ?? nextPlace()
    const plan = planWrite(kind, { ...entry, version, place }, before, started)
    const undo = await indexes.prepare(plan)
    const raw: Raw<V> = { ...entry, version, indexed: plan.indexed }
    const outcome = await compareAndSet(kind, expected, raw)
    if (outcome !== 'written') {
      await undo()
      return { missed: outcome }
    }
    if (now() - started > slowWriteMs && !(await indexes.stillHolds(plan))) {
      await removeVersion(kind, raw)
      throw conflict(kind, 'value')
    }
    await indexes.leave(kind, plan.dropped)
    return { written: raw }
  }

  const removeVersion: Entries['removeVersion'] = async (kind, raw) => {
    const keys = [entryKey(kind, raw.id)] as const
    const answer = await lanes.send({ name: removeScript, keys, args: [raw.version], durable: isDurable(kind) })
    if (answer !== 1) return typeof answer === 'string' ? decodeEntry(raw.id, answer) : undefined
    await indexes.leave(kind, itemsOf(kind, raw.value, raw.indexed))
    return 'removed'
  }

  async function replace<V>(kind: Kind, entry: Entry<V>): Promise<Raw<V>> {
    if (!isIndexed(kind)) {
      const raw: Raw<V> = { ...entry, version: nextVersion() }
      const lifetime = lifetimeMs(entry.expiresAt, now())
      const args = [encodeEntry(raw), ...(lifetime === 0 ? [] : ['PX', lifetime])]
      await lanes.send({ name: 'set', keys: [entryKey(kind, entry.id)], args, durable: isDurable(kind) })
      return raw
    }
    let before = await readRaw<V>(lanes, kind, entry.id)
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const outcome = await write(kind, entry, before)
      if ('written' in outcome) return outcome.written
      before = outcome.missed
    }
    throw unavailable(new Error(`${kind} is being written by others`))
  }

  return {
    async find<V>(kind: Kind, id: string) {
      const raw = living(await readRaw<V>(lanes, kind, id))
      return raw && handOut(raw)
    },
    async findBy<V>(kind: Kind, field: string, value: string) {
      const claim = await lanes.send({ name: 'get', keys: [claimKey(kind, field, value)] })
      if (typeof claim !== 'string') return undefined
      const raw = living(await readRaw<V>(lanes, kind, decodeClaim(claim).id))
      return raw && holds(raw.value, [field, value]) ? handOut(raw) : undefined
    },
    async put(kind, entry, mode) {
      if (mode === 'replace') return handOut(await replace(kind, entry))
      const outcome = await write(kind, entry, undefined)
      if ('written' in outcome) return handOut(outcome.written)
      throw conflict(kind)
    },
    async update<V>(kind: Kind, id: string, change: Change<V>, known?: Stored<V>): Promise<Updated<V>> {
      let before = living(startFrom(kind, known)) ?? (await readRaw<V>(lanes, kind, id))
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const entry = living(before)
        if (!before || !entry) return { changed: false }
        const stored = handOut(entry)
        const next = change(stored.value, stored)
        if (!next) return { changed: false, entry: stored }
        const expiresAt = next.expiresAt ?? entry.expiresAt
        const outcome = await write(
          kind,
          { id, value: next.value, ...(expiresAt === undefined ? {} : { expiresAt }) },
          before,
        )
        if ('written' in outcome) return { changed: true, entry: handOut(outcome.written) }
        before = outcome.missed
      }
      throw unavailable(new Error(`${kind} is being written by others`))
    },
    async take<V>(kind: Kind, id: string) {
      const envelope = await lanes.send({ name: 'getdel', keys: [entryKey(kind, id)], durable: isDurable(kind) })
      if (typeof envelope !== 'string') return undefined
      const raw = decodeEntry<V>(id, envelope)
      await indexes.leave(kind, itemsOf(kind, raw.value, raw.indexed))
      return living(raw) && handOut(raw)
    },
    removeVersion,
  }

  /** A known entry with what is known of its indexes; nothing when that is not known, so that it is read. */
  function startFrom<V>(kind: Kind, known: Stored<V> | undefined): Raw<V> | undefined {
    if (!known || !isIndexed(kind)) return known
    const indexed = remembered.get(known)
    return indexed && { ...known, indexed }
  }
}
