/**
 * Settings, first page: what needs attention, the name, the language.
 *
 *   GET  /settings           the page
 *   POST /settings/profile   name and language
 */
import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.ts'
import { hasCode } from '../errors.ts'
import { LOCALE_COOKIE } from '../http/answer.ts'
import { isLocale } from '../http/locale.ts'
import { get, post, type Route } from '../http/route.ts'
import type { ProfileProblem, SettingsCard } from '../http/settings-views.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

const ProfileForm = z.object({
  name: z.string().max(1000).default(''),
  locale: z.string().max(35).default(''),
})
type ProfileForm = z.infer<typeof ProfileForm>

const Shown = z.object({ saved: z.enum(['profile', 'email']).optional().catch(undefined) })
const YEAR_SECONDS = 31_536_000

interface ProfileParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly accounts: Pick<Accounts, 'change'>
  /** What the person should look at, most pressing first. */
  readonly attention: (person: Person) => Promise<readonly SettingsCard[]>
}

export function createProfile({ access, draw, accounts, attention }: ProfileParts): readonly Route[] {
  const show = async (
    person: Person,
    more: { problem?: ProfileProblem; typed?: ProfileForm; saved?: 'profile' | 'email' } = {},
  ) =>
    draw('settings/profile', person, {
      name: more.typed?.name ?? person.account.name,
      locale: more.typed?.locale ?? person.account.locale ?? '',
      email: person.account.email,
      emailVerified: person.account.emailVerified,
      createdAt: person.account.createdAt,
      id: person.account.id,
      cards: await attention(person),
      ...(more.saved ? { saved: more.saved } : {}),
      ...(more.problem ? { problem: more.problem } : {}),
    })

  return [
    get('/settings')
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, input }) => show(caller, input.saved ? { saved: input.saved } : {})),
    post('/settings/profile')
      .needs(access.form)
      .takes(ProfileForm)
      .does(async ({ caller, input, request }) => {
        const change = { name: input.name, ...(isLocale(input.locale) ? { locale: input.locale } : {}) }
        try {
          await accounts.change(callerOf(caller, request), caller.account.id, change)
        } catch (error) {
          if (!hasCode(error, 'invalid_request')) throw error
          return show(caller, { problem: 'name', typed: input })
        }
        return { kind: 'redirect', location: '/settings?saved=profile', cookies: chosenLanguage(input.locale) }
      }),
  ]
}

/** Pages follow the choice at once, in this browser too. */
function chosenLanguage(locale: string) {
  return isLocale(locale) ? [{ name: LOCALE_COOKIE, value: locale, maxAgeSeconds: YEAR_SECONDS } as const] : []
}
