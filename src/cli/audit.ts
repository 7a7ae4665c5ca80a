/**
 * `audit verify`: recomputes the hash chain of all sixteen logs. A record that was changed, removed or put in between breaks its chain at a
 * place that is named. What is noted there is decided by `observability/audit.ts`.
 */
import type { Command } from 'commander'
import { AppError } from '../errors.ts'
import { chainHash, logCount } from '../storage/chain.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import { say, terminal } from './program.ts'
import { type Desk, type OpenCore, withCore } from './with-core.ts'

interface Verdict {
  readonly log: number
  readonly records: number
  /** The first sequence number whose record does not fit the one before it. */
  readonly brokenAt?: number
}

const AT_ONCE = 500

/** Adds `audit verify`; exit code 1 when a chain is broken. */
export function addAuditCommands(
  program: Command,
  openCore: OpenCore<{ readonly store: Store }>,
  desk: Desk = {},
): void {
  const group = program.command('audit').description('the record of what was done')
  group
    .command('verify')
    .description('check that no record was changed, removed or put in between')
    .action((_options: object, command: Command) =>
      withCore(openCore, async ({ store }) => {
        const verdicts: Verdict[] = []
        for (let log = 0; log < logCount; log++) verdicts.push(await verifyLog(store, log))
        const broken = verdicts.filter(({ brokenAt }) => brokenAt !== undefined)
        const records = verdicts.reduce((sum, verdict) => sum + verdict.records, 0)
        if (broken.length > 0) {
          const places = broken.map(({ log, brokenAt }) => `log ${log} at record ${brokenAt}`).join(', ')
          throw new AppError('conflict', `The audit was tampered with: ${places}.`)
        }
        say(
          command,
          { ok: true, records },
          [`${records} records in ${logCount} unbroken chains`],
          desk.output ?? terminal,
        )
      }),
    )
}

async function verifyLog(store: Store, log: number): Promise<Verdict> {
  let [hash, expected] = ['', 1]
  for (;;) {
    const records = await store.readLog(log, expected, AT_ONCE)
    for (const record of records) {
      if (!follows(record, hash, expected)) return { log, records: expected - 1, brokenAt: expected }
      hash = record.hash
      expected += 1
    }
    if (records.length < AT_ONCE) return { log, records: expected - 1 }
  }
}

function follows({ hash, ...link }: LogRecord, previousHash: string, expected: number): boolean {
  return link.sequence === expected && chainHash(previousHash, link) === hash
}
