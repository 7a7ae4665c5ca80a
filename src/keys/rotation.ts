/**
 * How one secret of a key follows another. A rotation is one write of the key's entry, judged against the secret its caller saw: a crash
 * leaves the key as it was or as it is to be, and of racing rotations one is made. The old secret works until its overlap ends or,
 * when asked so, until it has been quiet for a while. Only pure steps stand here; `keys.ts` writes them.
 */
import { AppError } from '../errors.ts'
import { type OverlapWish, replacedNow, waitsForUse } from '../overlap.ts'
import { type Bounds, collect, takeLife } from './fields.ts'
import { expiryDayOf, type KeyRecord, type KeySecret, type OldSecret } from './key.ts'

export interface RotationWish extends OverlapWish {
  /** The new secret begins a new life of so many seconds, within the policy. Not given: the key ends when it would have ended. */
  readonly expiresInSeconds?: number
  /** During an overlap: the new secret was lost before anybody used it. It is replaced, and the old one keeps its end. */
  readonly lost?: true
}

const RETIRED_LIMIT = 10

/**
 * The record with `fresh` as its secret. A second rotation during an overlap is refused, since it would cut off whoever still uses the first
 * secret: end the overlap first, replace a lost secret, or rotate with an overlap of 0.
 * @throws conflict for that, and for a key that does not work any more.
 */
export function rotated(record: KeyRecord, fresh: KeySecret, wish: RotationWish, now: number): KeyRecord {
  const next = succeeded(record, fresh, wish, now)
  if (wish.expiresInSeconds === undefined) return next
  const expiresAt = now + wish.expiresInSeconds * 1000
  return { ...next, expiresAt, ...(next.expiryDay ? { expiryDay: expiryDayOf(expiresAt) } : {}) }
}

/**
 * A new life is for roots without a budget: a child ends with its parent, and a budget is for one life.
 * @throws invalid_request for a life beyond the policy
 */
export function checkRenewal(record: KeyRecord, { expiresInSeconds }: RotationWish, bounds: Bounds): void {
  collect((refuse) => {
    takeLife({ expiresInSeconds }, bounds, refuse)
    if (record.ancestors.length > 0) refuse('/expires_in', 'beyond_parent', 'A child ends when it would have ended.')
    if (record.callBudget !== undefined) refuse('/expires_in', 'not_allowed', 'A key with a call budget has one life.')
  })
}

function succeeded(record: KeyRecord, fresh: KeySecret, wish: RotationWish, now: number): KeyRecord {
  if (record.revoked || record.expiresAt <= now) throw new AppError('conflict', 'This key does not work any more.')
  const living = record.old && record.old.endsAt > now ? record.old : undefined
  if (wish.lost) {
    if (!living) throw new AppError('conflict', 'No rotation is under way.')
    return withoutOld(record, { current: fresh, old: living, retiring: [record.current] })
  }
  const replaced = replacedNow(wish, now)
  if (!replaced) return withoutOld(record, { current: fresh, retiring: [record.current] })
  if (living) throw new AppError('conflict', 'A rotation of this key is under way. End it first.')
  const old: OldSecret = { ...record.current, ...replaced, endsAt: Math.min(replaced.endsAt, record.expiresAt) }
  return withoutOld(record, { current: fresh, old, retiring: [] })
}

/** The record after the old secret has ended before its time; the same record when there is none. */
export function withOverlapEnded(record: KeyRecord): KeyRecord {
  return record.old ? withoutOld(record, { current: record.current, retiring: [] }) : record
}

interface Succession {
  readonly current: KeySecret
  readonly old?: OldSecret
  /** Ended now, besides an old secret that is not kept. */
  readonly retiring: readonly KeySecret[]
}

/** Puts the secrets in their places. Whatever was lifted for an earlier secret falls back. */
function withoutOld(record: KeyRecord, { current, old, retiring }: Succession): KeyRecord {
  const { old: before, waiting: _waiting, elevation, ...rest } = record
  const gone = [...retiring, ...(before && before.number !== old?.number ? [before] : [])]
  const retired = [...gone.map(({ number, digest }) => ({ number, digest })), ...record.retired]
  return {
    ...rest,
    current,
    ...(old ? { old } : {}),
    ...(old && waitsForUse(old) ? { waiting: 'use' } : {}),
    ...(elevation?.secretNumber === current.number ? { elevation } : {}),
    retired: retired.slice(0, RETIRED_LIMIT),
  }
}
