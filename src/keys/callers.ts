/**
 * Who calls with which secret, and whether a secret that was replaced can end: everybody who used it has moved to the new one, still uses it, or
 * has not come back since. One rule for the secrets of keys and of apps.
 */
import { DAY_MS } from './tally.ts'
import type { LastUse } from './usage-records.ts'
import { type LastCaller, lastCallers } from './usage-report.ts'

/**
 * Of a caller of the old secret: it has used it since the rotation; it has used the new one since; or it was not seen since the rotation, as a
 * job that runs once a week.
 */
export type Moving = 'still' | 'moved' | 'unseen'

/** A caller with which of the secrets. */
export interface SecretCaller extends LastCaller {
  readonly secret: 'current' | 'old' | 'retired'
  /** Set for `old`. */
  readonly moving?: Moving
}

/** The names of two secrets as calls are counted by them, and since when the old one is old. */
export interface Secrets {
  readonly current: string
  readonly old?: { readonly name: string; readonly replacedAt: number } | undefined
}

/** The latest first. */
export function callersOf(use: LastUse | undefined, { current, old }: Secrets, now: number): SecretCaller[] {
  const callers = use ? lastCallers(use, now) : []
  const withNew = callers.filter(({ secret }) => secret === current)
  return callers.map((caller): SecretCaller => {
    if (caller.secret === current) return { ...caller, secret: 'current' }
    if (!old || caller.secret !== old.name) return { ...caller, secret: 'retired' }
    return { ...caller, secret: 'old', moving: movingOf(caller, withNew, { replacedAt: old.replacedAt, now }) }
  })
}

/** Calls that other processes have counted may be so young that they are not written yet. */
const UNWRITTEN_MS = 10_000

function movingOf(
  caller: LastCaller,
  withNew: readonly LastCaller[],
  { replacedAt, now }: { replacedAt: number; now: number },
): Moving {
  const isSame = (other: LastCaller) => other.ip === caller.ip && other.userAgent === caller.userAgent
  // Several programs may look alike: one of them may have moved while another has not, so a day without a call must pass then.
  const hasMoved = ({ firstAt, lastAt }: LastCaller) => firstAt >= caller.lastAt || lastAt - caller.lastAt >= DAY_MS
  const isQuiet = now - caller.lastAt >= UNWRITTEN_MS
  if (isQuiet && withNew.some((other) => isSame(other) && hasMoved(other))) return 'moved'
  return caller.lastAt >= replacedAt ? 'still' : 'unseen'
}
