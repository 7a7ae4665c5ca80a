/**
 * How one secret of a key follows another. A rotation is one write of the key's entry, judged against the secret its caller saw: a crash
 * leaves the key as it was or as it is to be, and of racing rotations one is made. The old secret works until its overlap ends or,
 * when asked so, until it has been quiet for a while. Only pure steps stand here; `keys.ts` writes them.
 */
import { AppError } from '../errors.ts'
import { refuseField } from './fields.ts'
import type { KeyRecord, KeySecret, OldSecret } from './key.ts'

/** What a rotation may leave to the old secret, in seconds (contract: 0 to 7 days, 1 day if not given). */
export const overlapSeconds = { standard: 86_400, most: 604_800 } as const
/** How long a quiet may be asked for. The overlap ends after seven days however loud it is. */
const quietLimits = { least: 3600, most: 604_800 } as const

export interface RotationWish {
  /** 0 to 604,800; 0 ends every earlier secret at once. */
  readonly overlapSeconds?: number
  /** Instead: the old secret ends when nobody has used it for so long (3,600 to 604,800), after seven days at the latest. */
  readonly quietSeconds?: number
  /** During an overlap: the new secret was lost before anybody used it. It is replaced, and the old one keeps its end. */
  readonly lost?: true
}

const RETIRED_LIMIT = 10

/** @throws invalid_request */
export function checkRotationWish(wish: RotationWish): void {
  const { overlapSeconds: overlap, quietSeconds: quiet } = wish
  if (overlap !== undefined && quiet !== undefined) {
    throw refuseField('quiet_seconds', 'Give an overlap or a quiet time, not both.')
  }
  if (overlap !== undefined && !isWhole(overlap, 0, overlapSeconds.most)) {
    throw refuseField('overlap_seconds', `Give 0 to ${overlapSeconds.most} seconds.`)
  }
  if (quiet !== undefined && !isWhole(quiet, quietLimits.least, quietLimits.most)) {
    throw refuseField('quiet_seconds', `Give ${quietLimits.least} to ${quietLimits.most} seconds.`)
  }
}

/**
 * The record with `fresh` as its secret. A second rotation during an overlap is refused, since it would cut off whoever still uses the first
 * secret: end the overlap first, replace a lost secret, or rotate with an overlap of 0.
 * @throws conflict for that, and for a key that does not work any more.
 */
export function rotated(record: KeyRecord, fresh: KeySecret, wish: RotationWish, now: number): KeyRecord {
  if (record.revoked || record.expiresAt <= now) throw new AppError('conflict', 'This key does not work any more.')
  const living = record.old && record.old.endsAt > now ? record.old : undefined
  if (wish.lost) {
    if (!living) throw new AppError('conflict', 'No rotation is under way.')
    return withoutOld(record, { current: fresh, old: living, retiring: [record.current] })
  }
  const end = now + (wish.overlapSeconds ?? (wish.quietSeconds ? overlapSeconds.most : overlapSeconds.standard)) * 1000
  if (end === now) return withoutOld(record, { current: fresh, retiring: [record.current] })
  if (living) throw new AppError('conflict', 'A rotation of this key is under way. End it first.')
  const old: OldSecret = {
    ...record.current,
    replacedAt: now,
    endsAt: Math.min(end, record.expiresAt),
    ...(wish.quietSeconds === undefined ? {} : { quietSeconds: wish.quietSeconds }),
  }
  return withoutOld(record, { current: fresh, old, retiring: [] })
}

/** The record after the old secret has ended before its time; the same record when there is none. */
export function withOverlapEnded(record: KeyRecord): KeyRecord {
  return record.old ? withoutOld(record, { current: record.current, retiring: [] }) : record
}

/** When a secret that waits for quiet may end: `quietSeconds` after its last use, or after its replacement. */
export function quietEnd({ replacedAt, quietSeconds }: OldSecret, lastUsedAt: number | undefined): number | undefined {
  return quietSeconds === undefined ? undefined : Math.max(replacedAt, lastUsedAt ?? 0) + quietSeconds * 1000
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
    ...(old?.quietSeconds === undefined ? {} : { waiting: 'quiet' }),
    ...(elevation?.secretNumber === current.number ? { elevation } : {}),
    retired: retired.slice(0, RETIRED_LIMIT),
  }
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
