/**
 * What may be written into an account, field by field: which fields a new one takes, which its owner may change, and what each must be.
 * All wrong fields are named together. Whether an address is free is decided by the store when the account is written.
 */
import { takeAttributes } from '../attributes.ts'
import { cleanName, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError } from '../errors.ts'
import type { AccountRecord, Role } from './account.ts'
import { type EmailAddress, readEmail } from './email.ts'
import type { Passwords } from './password.ts'

export interface NewAccount {
  readonly email: string
  /** Default: the local part of the address. */
  readonly name?: string
  readonly password?: string
  /** Instead of a password: its digest, made or imported before. */
  readonly passwordDigest?: string
  readonly role?: Role
  readonly emailVerified?: boolean
  readonly locale?: string
  readonly attributes?: unknown
}

/** What a person may change about the own account; nothing else is taken, whatever a request holds. */
export interface AccountChange {
  readonly name?: string
  readonly locale?: string
}

/**
 * The record of a new account.
 * @throws invalid_request with one entry per wrong field (`/email` `/name` `/password` `/locale` `/attributes`), overloaded.
 */
export async function newRecord(
  { now, passwords }: { now: () => number; passwords: Passwords },
  wanted: NewAccount,
): Promise<AccountRecord> {
  const { email, name, locale } = checkNew(wanted, passwords)
  const attributes = takeAttributes(wanted.attributes ?? {}, '/attributes')
  const passwordDigest =
    wanted.password === undefined ? wanted.passwordDigest : await passwords.hash(wanted.password, [email.address, name])
  const at = now()
  return {
    email: email.address,
    emailKey: email.key,
    emailVerified: wanted.emailVerified ?? false,
    name,
    ...(locale ? { locale } : {}),
    role: wanted.role ?? 'member',
    status: 'active',
    attributes,
    ...(passwordDigest === undefined ? {} : { passwordDigest }),
    epoch: 0,
    createdAt: at,
    updatedAt: at,
  }
}

/** The fields of a change, cleaned. @throws invalid_request for a wrong value or any field an owner may not change. */
export function takeChange(change: AccountChange): AccountChange {
  const wrong: FieldError[] = []
  for (const field of Object.keys(change)) {
    if (field !== 'name' && field !== 'locale')
      wrong.push(fieldError(field, 'unknown', 'This field cannot be changed.'))
  }
  const name = change.name === undefined ? undefined : cleanName(change.name)
  const locale = change.locale === undefined ? undefined : cleanLocale(change.locale)
  if (change.name !== undefined && !name) wrong.push(nameError)
  if (change.locale !== undefined && !locale) wrong.push(localeError)
  if (wrong.length > 0) throw refusal(wrong)
  return { ...(name ? { name } : {}), ...(locale ? { locale } : {}) }
}

/** The fields of a new account, cleaned. @throws invalid_request with one entry per wrong field */
export function checkNew(
  wanted: NewAccount,
  passwords: Passwords,
): { email: EmailAddress; name: string; locale?: string } {
  const email = readEmail(wanted.email)
  const name = cleanName(wanted.name || wanted.email.split('@')[0] || '')
  const locale = wanted.locale === undefined ? undefined : cleanLocale(wanted.locale)
  const wrong: FieldError[] = []
  if (!email) wrong.push(fieldError('email', 'malformed', 'Give an e-mail address.'))
  if (!name) wrong.push(nameError)
  if (wanted.locale !== undefined && !locale) wrong.push(localeError)
  const problem = wanted.password === undefined ? undefined : passwords.problem(wanted.password)
  if (problem) wrong.push(fieldError('password', problem, passwords.explain(problem)))
  if (!email || !name || wrong.length > 0) throw refusal(wrong)
  return { email, name, ...(locale ? { locale } : {}) }
}

const fieldError = (field: string, code: string, detail: string): FieldError => ({ pointer: `/${field}`, code, detail })
const nameError = fieldError('name', 'malformed', `Give a name of 1 to ${NAME_LIMIT} visible characters.`)
const localeError = fieldError('locale', 'malformed', 'Give a language tag such as en or zh-Hant.')

function refusal(fields: readonly FieldError[]): AppError {
  return new AppError('invalid_request', fields.map((field) => field.detail).join(' '), { details: { fields } })
}

function cleanLocale(tag: string): string | undefined {
  if (!/^[A-Za-z0-9-]{2,35}$/.test(tag)) return undefined
  try {
    return Intl.getCanonicalLocales(tag)[0]
  } catch {
    return undefined
  }
}
