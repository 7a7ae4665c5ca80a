/**
 * How long an old secret works beside the new one: for a time, or until its callers have moved. One rule for the secrets of keys and of apps.
 * Only pure steps stand here; who writes them down is left to the domains.
 */
import { AppError } from './errors.ts'

/** What a rotation may leave to the old secret: one of these, or a day when nothing is said. */
export interface OverlapWish {
  /** 0 to 604,800; 0 ends every earlier secret at once. */
  readonly overlapSeconds?: number
  /** The old secret ends when nobody has used it for so long (3,600 to 604,800), after seven days at the latest. */
  readonly quietSeconds?: number
  /** The old secret ends within two minutes of the first use of the new one, after seven days at the latest. */
  readonly untilFirstUse?: true
}

/** A secret that was replaced. Times are milliseconds since 1970. */
export interface Replaced {
  readonly replacedAt: number
  readonly endsAt: number
  readonly quietSeconds?: number
  readonly untilFirstUse?: true
}

const overlapSeconds = { standard: 86_400, most: 604_800 } as const
const quietLimits = { least: 3600, most: 604_800 } as const

/** @throws invalid_request */
export function checkOverlap({ overlapSeconds: overlap, quietSeconds: quiet, untilFirstUse }: OverlapWish): void {
  if ([overlap, quiet, untilFirstUse].filter((one) => one !== undefined).length > 1) {
    const field = quiet === undefined ? 'until_first_use' : 'quiet_seconds'
    throw refusal(field, 'Say in one way only when the old secret ends.')
  }
  if (overlap !== undefined && !isWhole(overlap, 0, overlapSeconds.most)) {
    throw refusal('overlap_seconds', `Give 0 to ${overlapSeconds.most} seconds.`)
  }
  if (quiet !== undefined && !isWhole(quiet, quietLimits.least, quietLimits.most)) {
    throw refusal('quiet_seconds', `Give ${quietLimits.least} to ${quietLimits.most} seconds.`)
  }
}

/** What becomes of the secret that is replaced now; undefined when it ends at once. */
export function replacedNow(wish: OverlapWish, now: number): Replaced | undefined {
  const { overlapSeconds: overlap, quietSeconds, untilFirstUse } = wish
  const waits = quietSeconds !== undefined || untilFirstUse === true
  const endsAt = now + (overlap ?? (waits ? overlapSeconds.most : overlapSeconds.standard)) * 1000
  if (endsAt === now) return undefined
  return {
    replacedAt: now,
    endsAt,
    ...(quietSeconds === undefined ? {} : { quietSeconds }),
    ...(untilFirstUse ? { untilFirstUse } : {}),
  }
}

/** Whether its end depends on what its callers do. */
export function waitsForUse({ quietSeconds, untilFirstUse }: Partial<Replaced>): boolean {
  return quietSeconds !== undefined || untilFirstUse === true
}

/**
 * When an old secret ends, as its callers stand: `quietSeconds` after its last use or its replacement, or at the first use of the new one, and
 * at `endsAt` in any case. Milliseconds since 1970.
 */
export function endOfOld(
  { replacedAt, endsAt, quietSeconds, untilFirstUse }: Replaced,
  { oldUsedAt = 0, newUsedAt }: { oldUsedAt?: number | undefined; newUsedAt?: number | undefined },
): number {
  const quietAt = quietSeconds === undefined ? endsAt : Math.max(replacedAt, oldUsedAt) + quietSeconds * 1000
  return Math.min(endsAt, quietAt, untilFirstUse && newUsedAt !== undefined ? newUsedAt : endsAt)
}

/** What an answer tells whoever still uses the old secret: RFC 9745 `Deprecation` and RFC 8594 `Sunset`. Times are milliseconds since 1970. */
export function sunsetHeaders({ deprecatedAt, sunsetAt }: { deprecatedAt: number; sunsetAt: number }) {
  return { Deprecation: `@${Math.floor(deprecatedAt / 1000)}`, Sunset: new Date(sunsetAt).toUTCString() }
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function refusal(field: string, detail: string): AppError {
  return new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: `/${field}`, code: 'invalid', detail }] },
  })
}
