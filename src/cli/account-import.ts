/**
 * `account import`: people from another system, out of a CSV or NDJSON file, with the password digests they have there. Rows are taken one by
 * one, so a broken one costs only itself; a dry run says what would happen. What a row may hold stands in `accounts/import-rows.ts`.
 */
import type { Command } from 'commander'
import type { Accounts } from '../accounts/accounts.ts'
import type { RowFormat } from '../accounts/import-lines.ts'
import { createImport, takeAll } from '../accounts/import-rows.ts'
import type { Passwords } from '../accounts/password.ts'
import { badUsage, say, terminal } from './program.ts'
import { readRows } from './read-rows.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

export interface ImportCore {
  readonly accounts: Accounts
  readonly passwords: Passwords
}

interface ImportOptions {
  readonly format?: string
  readonly dryRun?: boolean
  readonly reason?: string
}

export function addImport(account: Command, openCore: OpenCore<ImportCore>, { output = terminal, input }: Desk): void {
  account
    .command('import')
    .description('make accounts from a file: email, name, email_verified, locale, role, attributes, password_hash')
    .argument('<file>', 'CSV with a header or NDJSON; - for standard input')
    .option('--format <csv|ndjson>', 'when the name of the file does not say it')
    .option('--dry-run', 'say what would happen and write nothing')
    .option('--reason <text>', 'why; kept in the audit')
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const format = formatOf(file, options.format)
      const dry = options.dryRun === true
      const result = await withCore(openCore, ({ accounts, passwords }) => {
        const take = createImport({ accounts, passwords, mode: dry ? 'dry_run' : 'write' })
        return takeAll(readRows(file, format, input), (row) => take(operator(options.reason), row))
      })
      const lines = [
        `${dry ? 'Would create' : 'Created'} ${result.created}, known already ${result.known}, refused ${result.refused}.`,
        ...result.problems.map(({ line, detail }) => `line ${line}: ${detail}`),
      ]
      say(command, { dry_run: dry, ...result }, lines, output)
      if (result.refused > 0) process.exitCode = 1
    })
}

function formatOf(file: string, named: string | undefined): RowFormat {
  const format = named ?? /\.(csv|ndjson)$/i.exec(file)?.[1]?.toLowerCase()
  if (format !== 'csv' && format !== 'ndjson') throw badUsage('say --format csv or --format ndjson')
  return format
}
