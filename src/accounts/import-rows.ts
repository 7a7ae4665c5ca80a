/**
 * Accounts that come from another system, row by row: what a row may hold, whether its password digest is one we can check, and what became of
 * it. A dry run judges everything and writes nothing. How rows stand in a file is left to `import-lines.ts`.
 */
import { takeAttributes } from '../attributes.ts'
import { AppError } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import type { Accounts } from './accounts.ts'
import { readEmail } from './email.ts'
import { checkNew, type NewAccount } from './fields.ts'
import type { ReadRow } from './import-lines.ts'
import { isPasswordDigest } from './imported-hashes.ts'
import type { Passwords } from './password.ts'

/** A row as read: names of the wire, values as text or as JSON gives them. */
export type ImportRow = Readonly<Record<string, unknown>>

export type RowOutcome =
  | { readonly kind: 'created'; readonly email: string }
  /** The address has an account, here or further up in the file; nothing was changed. */
  | { readonly kind: 'known'; readonly email: string }
  | { readonly kind: 'refused'; readonly detail: string }

/** What a row may hold. A plain password is not taken: it would stand in a file. */
export const importFields = [
  'email',
  'name',
  'email_verified',
  'locale',
  'role',
  'attributes',
  'password_hash',
] as const

interface Dependencies {
  readonly accounts: Pick<Accounts, 'create' | 'findByEmail'>
  readonly passwords: Passwords
  readonly mode: 'write' | 'dry_run'
}

/** The function that takes one row after the other. Failures of the store are thrown; everything wrong with a row is its outcome. */
export function createImport({ accounts, passwords, mode }: Dependencies) {
  const seen = new Set<string>()
  return async (caller: Caller, row: ImportRow): Promise<RowOutcome> => {
    try {
      const wanted = readRow(row)
      checkNew(wanted, passwords)
      const key = readEmail(wanted.email)?.key ?? ''
      if (seen.has(key) || (await accounts.findByEmail(wanted.email))) return { kind: 'known', email: wanted.email }
      if (mode === 'write') await accounts.create(caller, wanted)
      seen.add(key)
      return { kind: 'created', email: wanted.email }
    } catch (error) {
      if (!(error instanceof AppError) || (error.code !== 'invalid_request' && error.code !== 'conflict')) throw error
      return { kind: 'refused', detail: error.message }
    }
  }
}

/** What became of all rows. `problems` names the first hundred refused ones; `refused` counts all. */
export interface ImportSummary {
  readonly created: number
  readonly known: number
  readonly refused: number
  readonly problems: readonly { readonly line: number; readonly detail: string }[]
}

const LISTED = 100

/** Takes every row in turn. @throws what `take` throws */
export async function takeAll(
  rows: AsyncIterable<ReadRow>,
  take: (row: ImportRow) => Promise<RowOutcome>,
): Promise<ImportSummary> {
  const counts = { created: 0, known: 0, refused: 0 }
  const problems: { line: number; detail: string }[] = []
  for await (const read of rows) {
    const outcome: RowOutcome = 'row' in read ? await take(read.row) : { kind: 'refused', detail: read.problem }
    counts[outcome.kind] += 1
    if (outcome.kind === 'refused' && problems.length < LISTED)
      problems.push({ line: read.line, detail: outcome.detail })
  }
  return { ...counts, problems }
}

/** @throws invalid_request */
function readRow(row: ImportRow): NewAccount {
  const unknown = Object.keys(row).find((name) => !importFields.some((known) => known === name))
  if (unknown !== undefined) throw refusal(`There is no field ${JSON.stringify(unknown.slice(0, 50))}.`)
  const [name, locale, digest, role] = ['name', 'locale', 'password_hash', 'role'].map((field) => readText(row, field))
  if (digest && !isPasswordDigest(digest)) throw refusal('The password_hash is in no format that can be checked.')
  if (role && role !== 'member' && role !== 'administrator') throw refusal('The role is member or administrator.')
  return {
    email: readText(row, 'email') ?? '',
    emailVerified: readFlag(row['email_verified']),
    ...(name ? { name } : {}),
    ...(locale ? { locale } : {}),
    ...(digest ? { passwordDigest: digest } : {}),
    ...(role === 'administrator' ? { role } : {}),
    ...attributesOf(row['attributes']),
  }
}

function attributesOf(given: unknown): Pick<NewAccount, 'attributes'> {
  if (given === undefined || given === null || given === '') return {}
  if (typeof given !== 'string') return { attributes: takeAttributes(given, '/attributes') }
  try {
    return { attributes: takeAttributes(JSON.parse(given), '/attributes') }
  } catch (error) {
    throw error instanceof AppError ? error : refusal('The attributes are not JSON.')
  }
}

function readText(row: ImportRow, field: string): string | undefined {
  const value = row[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw refusal(`The ${field} is text.`)
  return value
}

function readFlag(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  const word = String(value).toLowerCase()
  if (!['true', 'false', '1', '0', 'yes', 'no'].includes(word)) throw refusal('The email_verified is true or false.')
  return ['true', '1', 'yes'].includes(word)
}

function refusal(detail: string): AppError {
  return new AppError('invalid_request', detail)
}
