/**
 * Settings, first page: what needs attention, the name, the language, what the operator lets people say about themselves, and the picture.
 *
 *   GET  /settings           the page
 *   POST /settings/profile   name, language, attributes
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Attention } from '../accounts/attention.ts'
import type { EditableAttribute } from '../accounts/fields.ts'
import { AppError } from '../errors.ts'
import { LOCALE_COOKIE } from '../http/answer.ts'
import { isLocale } from '../http/locale.ts'
import { type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import type { AttributeShown, ProfileProblem, SettingsCard } from '../http/settings-views.ts'
import { createPicture } from './picture.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

const Shown = z.object({ saved: z.enum(['profile', 'email']).optional().catch(undefined) })
const YEAR_SECONDS = 31_536_000

interface ProfileParts extends Pick<Parameters<typeof createPicture>[0], 'anyone' | 'pictures'> {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly accounts: Pick<Accounts, 'change'>
  readonly editable: readonly EditableAttribute[]
  /** What the person should look at, most pressing first. */
  readonly attention: (account: Account) => Promise<readonly Attention[]>
}

/** The fields of the form, by name; each editable attribute has one. */
type ProfileForm = Readonly<Record<string, string>>

interface More {
  readonly problem?: ProfileProblem
  readonly typed?: ProfileForm
  readonly saved?: 'profile' | 'email'
}

export function createProfile(parts: ProfileParts): readonly Route[] {
  const { access, draw, editable, attention } = parts
  const show = async (person: Person, { problem, typed, saved }: More = {}) => {
    const { account } = person
    return draw('settings/profile', person, {
      name: typed?.['name'] ?? account.name,
      locale: typed?.['locale'] ?? account.locale ?? '',
      attributes: editable.map((one) => attributeShown(one, typed?.[fieldOf(one)] ?? account.attributes[one.name])),
      ...(account.picture ? { picture: account.picture } : {}),
      email: account.email,
      emailVerified: account.emailVerified,
      createdAt: account.createdAt,
      id: account.id,
      cards: (await attention(account)).map(cardOf),
      ...(saved ? { saved } : {}),
      ...(problem ? { problem } : {}),
    })
  }
  const field = z.string().max(1000).default('')
  const fields = ['name', 'locale', ...editable.map(fieldOf)]
  const ProfileForm = z.object(Object.fromEntries(fields.map((name) => [name, field])))
  return [
    get('/settings')
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, input }) => show(caller, input.saved ? { saved: input.saved } : {})),
    post('/settings/profile').needs(access.form).takes(ProfileForm).does(save(parts, show)),
    ...createPicture({ ...parts, profile: show }),
  ]
}

function save(
  { accounts, editable }: ProfileParts,
  show: (person: Person, more: More) => Promise<Answer>,
): Handler<ProfileForm, Person, unknown> {
  return async ({ caller, input, request }) => {
    const { name = '', locale = '' } = input
    const attributes = Object.fromEntries(editable.map((one) => [one.name, input[fieldOf(one)] ?? '']))
    const change = { name, ...(isLocale(locale) ? { locale } : {}), attributes }
    try {
      await accounts.change(callerOf(caller, request), caller.account.id, change)
    } catch (error) {
      const problem = problemOf(error)
      if (!problem) throw error
      return show(caller, { problem, typed: input })
    }
    return { kind: 'redirect', location: '/settings?saved=profile', cookies: chosenLanguage(locale) }
  }
}

const fieldOf = ({ name }: EditableAttribute): `attribute_${string}` => `attribute_${name}`

function attributeShown({ name, label, choices }: EditableAttribute, value: unknown): AttributeShown {
  const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
  return { name, label, value: text, ...(choices ? { choices } : {}) }
}

/** Each leads to where it is mended. */
const MENDED_AT: Readonly<Record<Attention['kind'], string>> = {
  unverified_email: '/settings/verify',
  no_second_factor: '/settings/security',
  few_recovery_codes: '/settings/security',
  keys_expiring: '/settings/keys',
  tokens_expiring: '/settings/tokens',
  new_device: '/settings/sessions',
  new_app: '/settings/apps',
}

function cardOf(found: Attention): SettingsCard {
  const url = MENDED_AT[found.kind]
  if (found.kind !== 'new_app') return { ...found, url }
  return { kind: found.kind, at: found.at, name: found.name, url: `${url}/${encodeURIComponent(found.id)}` }
}

/** The first wrong field; undefined when something else failed. */
function problemOf(error: unknown): ProfileProblem | undefined {
  if (!(error instanceof AppError) || error.code !== 'invalid_request') return undefined
  const pointer = error.details.fields?.[0]?.pointer ?? ''
  return pointer.startsWith('/attributes/') ? `attribute_${pointer.slice('/attributes/'.length)}` : 'name'
}

/** Pages follow the choice at once, in this browser too. */
function chosenLanguage(locale: string) {
  return isLocale(locale) ? [{ name: LOCALE_COOKIE, value: locale, maxAgeSeconds: YEAR_SECONDS } as const] : []
}
