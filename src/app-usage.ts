/**
 * How much each app is used, by which of its secrets, and the end of old secrets that wait for their callers to move. Joins the apps with the counting of
 * `keys/usage.ts`; belongs to the composition root. Addresses are kept only of calls with a client secret: those of other apps' calls would be their
 * users', which are none of a developer's business.
 */
import type { App } from './apps/app.ts'
import { usageSubject } from './apps/app.ts'
import type { Apps } from './apps/apps.ts'
import { callersOf, type SecretCaller } from './keys/callers.ts'
import { repeat } from './keys/repeat.ts'
import type { Call } from './keys/tally.ts'
import { createUsage } from './keys/usage.ts'
import { type LastUse, secretUsedAt } from './keys/usage-records.ts'
import { type Period, reportUsage, type UsageReport } from './keys/usage-report.ts'
import { endOfOld } from './overlap.ts'
import type { Store } from './storage/store.ts'

export interface AppUsageReport extends UsageReport {
  /** Whoever called with a client secret, the latest first. */
  readonly callers: readonly SecretCaller[]
  /** Secret id → when it was last used, in milliseconds since 1970. */
  readonly secretsUsedAt: Readonly<Record<string, number>>
}

export interface AppUsage {
  /** Counts one call of an app. Costs no store call. */
  count(clientId: string, call: Call): void
  /** @throws invalid_request for a period that is turned round or too long. */
  report(app: Pick<App, 'clientId' | 'secrets'>, period?: Period): Promise<AppUsageReport>
  /** Ends old secrets whose callers have moved, now. */
  tend(): Promise<void>
  /** Writes every few seconds and ends what falls due, until `stop`, which writes the rest. */
  start(): void
  stop(): Promise<void>
}

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  readonly apps: Pick<Apps, 'find' | 'listWaiting' | 'endOldSecret'>
  readonly onTrouble?: (error: unknown) => void
}

const FLUSH_MS = 3_000
const TEND_MS = 60_000
const LAST_FLUSHES = 3
const SUBJECT = usageSubject('')

export function createAppUsage({ store, now, apps, onTrouble }: Dependencies): AppUsage {
  const trouble = onTrouble ? { onTrouble } : {}
  // Who only says that they are an app is nobody yet: made-up ids fill nothing.
  const isKept = async (subject: string) => {
    const source = (await apps.find(subject.slice(SUBJECT.length)))?.source
    return source === 'stored' || source === 'configuration'
  }
  const usage = createUsage({ store, now, isKept, ...trouble })
  const lastUse = async (clientId: string) => (await store.find<LastUse>('key_use', usageSubject(clientId)))?.value

  const tend = async (): Promise<void> => {
    let cursor: string | undefined
    do {
      const page = await apps.listWaiting({ limit: 200, ...(cursor ? { cursor } : {}) })
      for (const app of page.items) await endWhenMoved(app)
      cursor = page.nextCursor
    } while (cursor)
  }

  const endWhenMoved = async ({ clientId, secrets }: App): Promise<void> => {
    const { current, old } = pairOf(secrets, now())
    if (!old || !current) return
    const use = await lastUse(clientId)
    const { replacedAt = now(), expiresAt: endsAt = now(), id, ...waits } = old
    const used = { oldUsedAt: secretUsedAt(use, id), newUsedAt: secretUsedAt(use, current.id) }
    if (endOfOld({ replacedAt, endsAt, ...waits }, used) > now()) return
    await apps.endOldSecret({ kind: 'system' }, clientId, id)
  }

  const work = [
    repeat({ act: usage.flush, everyMs: FLUSH_MS, ...trouble }),
    repeat({ act: tend, everyMs: TEND_MS, ...trouble }),
  ]
  return {
    count: (clientId, call) => usage.count(usageSubject(clientId), call),
    async report({ clientId, secrets }, period = {}) {
      await usage.flush()
      const report = await reportUsage({ store, now }, usageSubject(clientId), period)
      const use = await lastUse(clientId)
      const { current, old } = pairOf(secrets, now())
      const names = {
        current: current?.id ?? '',
        old: old && { name: old.id, replacedAt: old.replacedAt ?? old.createdAt },
      }
      const used = secrets.flatMap(({ id }): [string, number][] => {
        const at = secretUsedAt(use, id)
        return at === undefined ? [] : [[id, at]]
      })
      return { ...report, callers: callersOf(use, names, now()), secretsUsedAt: Object.fromEntries(used) }
    },
    tend,
    start: () => {
      for (const one of work) one.start()
    },
    async stop() {
      await Promise.all(work.map((one) => one.stop()))
      for (let left = LAST_FLUSHES; left > 0 && !(await usage.flush()); left -= 1);
    },
  }
}

/** The secret that works until it is rotated, and the one before it while it works. */
function pairOf(secrets: App['secrets'], now: number) {
  return {
    current: secrets.find(({ expiresAt }) => expiresAt === undefined),
    old: secrets.find(({ expiresAt }) => expiresAt !== undefined && expiresAt > now),
  }
}
