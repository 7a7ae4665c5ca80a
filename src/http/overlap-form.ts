/**
 * When an old secret shall end, as a person chooses it on a form. What the choices mean is `overlap.ts`'s.
 */
import { z } from 'zod'
import type { OverlapWish } from '../overlap.ts'

const OVERLAPS = ['24h', '1h', '7d', 'quiet', 'first_use', 'now', 'lost'] as const

export const OverlapFields = z.object({
  overlap: z.enum(OVERLAPS).catch('24h'),
  quiet_hours: z.string().max(10).default(''),
})

/** What the form begins with. */
export const QUIET_HOURS = '6'

/** The wish; hours that are no number stay NaN, for the domain to refuse. */
export function overlapOf({ overlap, quiet_hours: hours }: z.infer<typeof OverlapFields>): OverlapWish {
  if (overlap === 'quiet') return { quietSeconds: Number(hours || Number.NaN) * 3600 }
  if (overlap === 'first_use') return { untilFirstUse: true }
  const seconds = { now: 0, '1h': 3600, '24h': 86_400, '7d': 604_800, lost: undefined }[overlap]
  return seconds === undefined ? {} : { overlapSeconds: seconds }
}
