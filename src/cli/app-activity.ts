/**
 * `app activity`: what a program did by itself, as it was noted; an app of the operator has no owner who could read it elsewhere.
 */
import type { Command } from 'commander'
import type { App } from '../apps/app.ts'
import type { AuditEntry, Caller } from '../observability/audit.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import { say, terminal } from './program.ts'
import { type Desk, type OpenCore, withCore } from './with-core.ts'

interface ActivityCore {
  readonly apps: { getById(clientId: string): Promise<App> }
  readonly store: Pick<Store, 'read'>
}

const SHOWN = 100

/** Adds `app activity` to the commands of `app`. */
export function addAppActivity(app: Command, openCore: OpenCore<ActivityCore>, { output = terminal }: Desk = {}): void {
  app
    .command('activity')
    .description('show what it did by itself, the newest first')
    .argument('<client_id>')
    .action(async (clientId: string, _options: object, command: Command) => {
      const { items } = await withCore(openCore, async ({ apps, store }) => {
        await apps.getById(clientId)
        return store.read(clientId, { limit: SHOWN })
      })
      say(command, { items: items.map(describe) }, items.map(line), output)
    })
}

function describe({ at, record }: LogRecord) {
  const { event, outcome, details, caller } = record as Partial<AuditEntry> & { caller?: Caller }
  return { at: new Date(at).toISOString(), event, outcome, details: details ?? null, ip: caller?.ip ?? null }
}

function line(entry: LogRecord): string {
  const { at, event = '', ip, details } = describe(entry)
  return [at, event.padEnd(18), (ip ?? '').padEnd(15), JSON.stringify(details)].join('  ')
}
