/**
 * What may be written into an account, field by field: which fields a new one takes, which its owner may change, and what each must be.
 * All wrong fields are named together. Whether an address is free is decided by the store when the account is written.
 */
import { type Attributes, takeAttributes } from '../attributes.ts'
import { cleanName, cleanText, NAME_LIMIT } from '../display-name.ts'
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
  /** Of the editable ones; null and empty text take one away. */
  readonly attributes?: Readonly<Record<string, string | null>>
}

/** An attribute that the operator lets people change about themselves. */
export interface EditableAttribute {
  readonly name: string
  readonly label: string
  /** Any short text when absent. */
  readonly choices?: readonly string[] | undefined
}

const LONGEST_ATTRIBUTE = 200

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
export function takeChange(change: AccountChange, editable: readonly EditableAttribute[] = []): AccountChange {
  const wrong: FieldError[] = []
  for (const field of Object.keys(change)) {
    if (!['name', 'locale', 'attributes'].includes(field)) wrong.push(fixedField(field))
  }
  const attributes = change.attributes === undefined ? {} : takeEdits(change.attributes, editable, wrong)
  const name = change.name === undefined ? undefined : cleanName(change.name)
  const locale = change.locale === undefined ? undefined : cleanLocale(change.locale)
  if (change.name !== undefined && !name) wrong.push(nameError)
  if (change.locale !== undefined && !locale) wrong.push(localeError)
  if (wrong.length > 0) throw refusal(wrong)
  return {
    ...(name ? { name } : {}),
    ...(locale ? { locale } : {}),
    ...(change.attributes === undefined ? {} : { attributes }),
  }
}

/** Values of editable attributes, cleaned; what is wrong with others goes to `wrong`. */
function takeEdits(
  given: NonNullable<AccountChange['attributes']>,
  editable: readonly EditableAttribute[],
  wrong: FieldError[],
): Record<string, string | null> {
  const taken: [string, string | null][] = []
  for (const [name, value] of Object.entries(given)) {
    const rule = editable.find((one) => one.name === name)
    const text = typeof value === 'string' ? cleanText(value) : ''
    const isChoice = text === '' || !rule?.choices || rule.choices.includes(text)
    if (!rule) wrong.push(fixedField(`attributes/${name.slice(0, 64)}`))
    else if (!isChoice || [...text].length > LONGEST_ATTRIBUTE)
      wrong.push(
        fieldError(`attributes/${name}`, 'malformed', `Give ${rule.choices ? 'one of its choices' : 'a short text'}.`),
      )
    else taken.push([name, text === '' ? null : text])
  }
  return Object.fromEntries(taken)
}

/** The attributes after a change: those set to null are gone. */
export function editedAttributes(before: Attributes, edits: NonNullable<AccountChange['attributes']>): Attributes {
  const all = Object.entries({ ...before, ...edits }).filter(([name, value]) => !(name in edits && value === null))
  return takeAttributes(Object.fromEntries(all), '/attributes')
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
const fixedField = (field: string) => fieldError(field, 'unknown', 'This field cannot be changed.')
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
