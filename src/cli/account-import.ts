/**
 * `account import`: people from another system, out of a CSV or NDJSON file, with the password digests they have there. Rows are taken one by
 * one, so a broken one costs only itself; a dry run says what would happen. What a row may hold stands in `accounts/import-rows.ts`.
 */
import type { Command } from 'commander'
import type { Accounts } from '../accounts/accounts.ts'
import { createImport, type RowOutcome } from '../accounts/import-rows.ts'
import type { Passwords } from '../accounts/password.ts'
import { badUsage, say, terminal } from './program.ts'
import { type ReadRow, type RowFormat, readRows } from './read-rows.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

export interface ImportCore {
  readonly accounts: Accounts
  readonly passwords: Passwords
}

interface Summary {
  created: number
  known: number
  refused: { line: number; detail: string }[]
}

/** So many refusals are listed; all are counted. */
const LISTED = 100

export function addImport(account: Command, openCore: OpenCore<ImportCore>, { output = terminal, input }: Desk): void {
  account
    .command('import')
    .description('make accounts from a file: email, name, email_verified, locale, role, attributes, password_hash')
    .argument('<file>', 'CSV with a header or NDJSON; - for standard input')
    .option('--format <csv|ndjson>', 'when the name of the file does not say it')
    .option('--dry-run', 'say what would happen and write nothing')
    .action(async (file: string, options: { format?: string; dryRun?: boolean }, command: Command) => {
      const format = formatOf(file, options.format)
      const { summary, refusals } = await withCore(openCore, ({ accounts, passwords }) => {
        const take = createImport({ accounts, passwords, mode: options.dryRun ? 'dry_run' : 'write' })
        return takeAll(readRows(file, format, input), (row) => take(operator(), row))
      })
      const dry = options.dryRun === true
      const result = { dry_run: dry, created: summary.created, known: summary.known, refused: refusals }
      const lines = [
        `${dry ? 'Would create' : 'Created'} ${summary.created}, known already ${summary.known}, refused ${refusals}.`,
        ...summary.refused.map(({ line, detail }) => `line ${line}: ${detail}`),
      ]
      say(command, { ...result, problems: summary.refused }, lines, output)
      if (refusals > 0) process.exitCode = 1
    })
}

function formatOf(file: string, named: string | undefined): RowFormat {
  const format = named ?? /\.(csv|ndjson)$/i.exec(file)?.[1]?.toLowerCase()
  if (format !== 'csv' && format !== 'ndjson') throw badUsage('say --format csv or --format ndjson')
  return format
}

async function takeAll(
  rows: AsyncIterable<ReadRow>,
  take: (row: Readonly<Record<string, unknown>>) => Promise<RowOutcome>,
): Promise<{ summary: Summary; refusals: number }> {
  const summary: Summary = { created: 0, known: 0, refused: [] }
  let refusals = 0
  for await (const read of rows) {
    const outcome: RowOutcome = 'row' in read ? await take(read.row) : { kind: 'refused', detail: read.problem }
    if (outcome.kind !== 'refused') summary[outcome.kind] += 1
    else {
      refusals += 1
      if (refusals <= LISTED) summary.refused.push({ line: read.line, detail: outcome.detail })
    }
  }
  return { summary, refusals }
}
