/**
 * Unique values and groups in Redis. Each lies in a slot of its own, apart from its entry, so nothing here can change together with
 * an entry: claims and members are written before the entry and removed after it, and a reader believes only what the entry confirms.
 * A writer that dies in between leaves a claim that can be taken over and members that are swept, never an entry that a group misses.
 */
import { hasCode } from '../errors.ts'
import { conflict, holds, type IndexValue, isAlive } from './entry.ts'
import type { Kind } from './kinds.ts'
import { decodeClaim, decodeMember, groupKey, type Member, memberPrefix, type Raw } from './redis-entry.ts'
import type { Lanes } from './redis-lanes.ts'
import type { Item, Plan } from './redis-plan.ts'
import { claimScript, dropScript, extendScript, joinScript, releaseScript } from './redis-scripts.ts'

/** A member that no entry confirms belongs to a writer at work, or to one that died: after this long it died. */
const memberGraceMs = 60_000
/** A group larger than this is swept a little at every 64th addition, so that what expired in it does not pile up. */
const sweptSize = 128

/** Gives back what `prepare` took, for a write that did not happen. */
export type Undo = () => Promise<void>

export interface Indexes {
  /** Claims and joins. @throws AppError `conflict` when another living entry holds one of the unique values. */
  prepare(plan: Plan): Promise<Undo>
  /** Lets go of items that the entry no longer has. Failures are left to takeover and sweep: readers do not believe the rest. */
  leave(kind: Kind, items: readonly Item[]): Promise<void>
  /** True if every claim that the plan made is still this entry's. */
  stillHolds(plan: Plan): Promise<boolean>
  /** True if the entry confirms the member. */
  confirms(entry: Raw<unknown> | undefined, group: IndexValue, member: Member): boolean
  /** Removes members that no entry confirms, if they are too old to be a writer's at work. */
  drop(key: string, members: readonly string[]): Promise<void>
}

export interface IndexTools {
  readonly lanes: Lanes
  readonly now: () => number
  /** Reads an entry, expired or not. */
  readonly read: (kind: Kind, id: string) => Promise<Raw<unknown> | undefined>
  /** How long a claim that no entry confirms is respected. */
  readonly claimGraceMs: number
  readonly isDurable: (kind: Kind) => boolean
}

export function createIndexes({ lanes, now, read, claimGraceMs, isDurable }: IndexTools): Indexes {
  /** Claims one value. The answer puts things back as they were. */
  async function claim({ kind, id, lifetime }: Plan, { key, pair, mark }: Item): Promise<Undo> {
    const durable = isDurable(kind)
    const release = (before: string): Undo => {
      return async () => void (await lanes.send({ name: releaseScript, keys: [key], args: [mark, before], durable }))
    }
    let taken = ''
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const answer = await lanes.send({ name: claimScript, keys: [key], args: [mark, id, lifetime, taken], durable })
      if (!Array.isArray(answer)) return release('')
      const [outcome, before, ageMs] = answer as ['same' | 'held', string, number]
      if (outcome === 'same') return release(before)
      if (!(await isAbandoned(kind, pair, before, ageMs))) break
      taken = before
    }
    throw conflict(kind, pair[0])
  }

  /** A claim may be taken over when its holder does not confirm it and nobody can still be at work on it. */
  async function isAbandoned(kind: Kind, pair: IndexValue, held: string, ageMs: number): Promise<boolean> {
    const { id, mark } = decodeClaim(held)
    const holder = await read(kind, id)
    if (holder && isAlive(holder, now())) return !holds(holder.value, pair) && ageMs > claimGraceMs
    const isServed = holder?.indexed?.marks[pair[0]] === mark
    return isServed || ageMs > claimGraceMs
  }

  async function join({ kind, id, lifetime }: Plan, { key, pair, place, mark }: Item): Promise<Undo> {
    const prefix = memberPrefix(place, mark)
    const size = await lanes.send({
      name: joinScript,
      keys: [key],
      args: [prefix, id, lifetime],
      durable: isDurable(kind),
    })
    if (Number(size) >= sweptSize && Number(size) % 64 === 0) await sweep(kind, pair)
    return () => leaveGroup(kind, key, prefix)
  }

  async function leaveGroup(kind: Kind, key: string, prefix: string): Promise<void> {
    await lanes.send({
      name: 'zremrangebylex',
      keys: [key],
      args: [`[${prefix}`, `(${prefix}~`],
      durable: isDurable(kind),
    })
  }

  async function extend({ kind, lifetime }: Plan, { key }: Item): Promise<Undo> {
    await lanes.send({ name: extendScript, keys: [key], args: [lifetime], durable: isDurable(kind) })
    return async () => {}
  }

  async function sweep(kind: Kind, pair: IndexValue): Promise<void> {
    const key = groupKey(kind, ...pair)
    const sample = (await lanes.send({ name: 'zrandmember', keys: [key], args: [sweptSize] })) as string[]
    const entries = await Promise.all(sample.map((member) => read(kind, decodeMember(member).id)))
    await drop(
      key,
      sample.filter((member, index) => !confirms(entries[index], pair, decodeMember(member))),
    )
  }

  const confirms: Indexes['confirms'] = (entry, pair, member) =>
    entry !== undefined &&
    isAlive(entry, now()) &&
    entry.indexed?.marks[pair[0]] === member.mark &&
    holds(entry.value, pair)

  const drop: Indexes['drop'] = async (key, members) => {
    if (members.length > 0)
      await tolerating([lanes.send({ name: dropScript, keys: [key], args: [memberGraceMs, ...members] })])
  }

  return {
    async prepare(plan) {
      const steps = plan.added.map((item) => (item.sort === 'claim' ? claim(plan, item) : join(plan, item)))
      const outcomes = await Promise.allSettled([...steps, ...plan.extended.map((item) => extend(plan, item))])
      const undo: Undo = () =>
        tolerating(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value() : undefined)))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (!failed) return undo
      await undo()
      throw failed.reason
    },
    async leave(kind, items) {
      await tolerating(
        items.map(({ sort, key, mark, place }) =>
          sort === 'member'
            ? leaveGroup(kind, key, memberPrefix(place, mark))
            : lanes.send({ name: releaseScript, keys: [key], args: [mark, ''], durable: isDurable(kind) }),
        ),
      )
    },
    async stillHolds({ added }) {
      const claims = added.filter(({ sort }) => sort === 'claim')
      const found = await Promise.all(claims.map(({ key }) => lanes.send({ name: 'get', keys: [key] })))
      return found.every((claim, index) => typeof claim === 'string' && decodeClaim(claim).mark === claims[index]?.mark)
    },
    confirms,
    drop,
  }
}

/** Waits for all; an unreachable store is tolerated, because what is left undone here is believed by nobody. */
async function tolerating(works: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === 'rejected' && !hasCode(outcome.reason, 'store_unavailable')) throw outcome.reason
  }
}
