/**
 * `export`, `import`, `backup`, `restore`: everything in the store as lines of JSON, between engines or into a file. Secrets in it are digested or
 * sealed, so the root secret is needed to use it, and it must be kept as safe as the store itself. After a restore everybody signs in again: what was
 * revoked since the backup must not come back (threats.md ST13).
 */
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import type { Command } from 'commander'
import { AppError, hasCode } from '../errors.ts'
import { logCount } from '../storage/chain.ts'
import { type Kind, kinds } from '../storage/kinds.ts'
import type { Store } from '../storage/store.ts'
import { type Output, say, terminal } from './program.ts'
import { type Desk, type OpenCore, withCore } from './with-core.ts'

interface StoreCore {
  readonly store: Store
  readonly now: () => number
}

type Line =
  | { readonly licet: 'export'; readonly version: 1; readonly at: number }
  | { readonly kind: Kind; readonly id: string; readonly value: unknown; readonly expiresAt?: number }
  | { readonly log: number; readonly accountId: string; readonly record: Readonly<Record<string, unknown>> }

interface Counts {
  entries: number
  records: number
  skipped: number
}

const AT_ONCE = 500

/** Adds the four commands. */
export function addStoreCommands(program: Command, openCore: OpenCore<StoreCore>, desk: Desk = {}): void {
  const output = desk.output ?? terminal
  program
    .command('export')
    .description('write the whole store as lines of JSON')
    .requiredOption('--file <path>', 'where to write; made readable for you alone')
    .action((options: { file: string }, command: Command) =>
      withCore(openCore, (core) => writeOut(core, options.file, command, output)),
    )
  program
    .command('backup')
    .description('write the whole store into a file that `restore` takes')
    .argument('<file>')
    .action((file: string, _options: object, command: Command) =>
      withCore(openCore, (core) => writeOut(core, file, command, output)),
    )
  program
    .command('import')
    .description('add an export to this store; what is there already stays')
    .requiredOption('--file <path>', 'what to read')
    .action((options: { file: string }, command: Command) =>
      withCore(openCore, async ({ store }) => tell(command, await readIn(store, options.file, 'create'), output)),
    )
  program
    .command('restore')
    .description('put a backup back; everybody signs in again afterwards')
    .argument('<file>')
    .action((file: string, _options: object, command: Command) =>
      withCore(openCore, async ({ store, now }) => {
        const counts = await readIn(store, file, 'replace')
        await store.put('meta', { id: 'not_before', value: { at: now() } }, 'replace')
        tell(command, counts, output)
      }),
    )
}

function tell(command: Command, counts: Counts, output: Output): void {
  say(
    command,
    counts,
    [`${counts.entries} entries and ${counts.records} audit records written, ${counts.skipped} were there already`],
    output,
  )
}

async function writeOut({ store, now }: StoreCore, file: string, command: Command, output: Output): Promise<void> {
  const stream = createWriteStream(file, { mode: 0o600, flags: 'wx' })
  const counts: Counts = { entries: 0, records: 0, skipped: 0 }
  const write = async (line: Line): Promise<void> => {
    if (!stream.write(`${JSON.stringify(line)}\n`)) await once(stream, 'drain')
  }
  await write({ licet: 'export', version: 1, at: now() })
  for (const kind of Object.keys(kinds) as Kind[]) counts.entries += await writeKind(store, kind, write)
  for (let log = 0; log < logCount; log++) counts.records += await writeLog(store, log, write)
  stream.end()
  await finished(stream)
  tell(command, counts, output)
}

async function writeKind(store: Store, kind: Kind, write: (line: Line) => Promise<void>): Promise<number> {
  let [written, cursor] = [0, undefined as string | undefined]
  do {
    const page = await store.list(kind, { limit: AT_ONCE, ...(cursor ? { cursor } : {}) })
    for (const { id, value, expiresAt } of page.items)
      await write({ kind, id, value, ...(expiresAt === undefined ? {} : { expiresAt }) })
    written += page.items.length
    cursor = page.nextCursor
  } while (cursor)
  return written
}

async function writeLog(store: Store, log: number, write: (line: Line) => Promise<void>): Promise<number> {
  for (let next = 1; ; ) {
    const records = await store.readLog(log, next, AT_ONCE)
    for (const { record } of records) await write({ log, accountId: String(record['accountId'] ?? 'system'), record })
    next += records.length
    if (records.length < AT_ONCE) return next - 1
  }
}

async function readIn(store: Store, file: string, mode: 'create' | 'replace'): Promise<Counts> {
  const counts: Counts = { entries: 0, records: 0, skipped: 0 }
  let number = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    const line = parse(text, number)
    if ('licet' in line) continue
    if ('log' in line) {
      await store.append(line.accountId, line.record)
      counts.records += 1
    } else if (await putEntry(store, line, mode)) counts.entries += 1
    else counts.skipped += 1
  }
  return counts
}

async function putEntry(
  store: Store,
  { kind, id, value, expiresAt }: Extract<Line, { kind: Kind }>,
  mode: 'create' | 'replace',
): Promise<boolean> {
  try {
    await store.put(kind, { id, value, ...(expiresAt === undefined ? {} : { expiresAt }) }, mode)
    return true
  } catch (error) {
    if (mode === 'create' && hasCode(error, 'conflict')) return false
    throw error
  }
}

function parse(text: string, number: number): Line {
  try {
    const line = JSON.parse(text) as Line
    const known =
      number === 1
        ? 'licet' in line && line.version === 1
        : 'log' in line || ('kind' in line && Object.hasOwn(kinds, line.kind))
    if (known) return line
  } catch {
    // Told below, with the number of the line.
  }
  throw new AppError('invalid_request', `Line ${number} is not of an export of Licet.`)
}
