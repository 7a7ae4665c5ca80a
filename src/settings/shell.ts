/**
 * What every settings page has in common: the person it is drawn for, the navigation, and the binding of its forms to that person's session, so
 * that a form of one account can never be sent as another. Each section of the settings has a file of its own.
 */
import { type Account, isAdministrator } from '../accounts/account.ts'
import { shownAccount } from '../accounts/describe.ts'
import type { AccessRule } from '../http/route.ts'
import type { SettingsSection, Shell } from '../http/settings-views.ts'
import { type PageAnswer, page, type ViewName, type Views } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

/** Somebody who is signed in in this browser. `authTime` is seconds since 1970; `sid` is the session's public id. */
export interface Person {
  readonly account: Account
  readonly sid: string
  readonly authTime: number
  readonly acr: string
  readonly amr: readonly string[]
  readonly sudo: boolean
}

/** Who may see a settings page, and who may send one of its forms. */
export interface SettingsAccess {
  readonly signedIn: AccessRule<Person>
  readonly recent: AccessRule<Person>
  /** A form of this person's own page. */
  readonly form: AccessRule<Person>
  /** The same from somebody who has signed in recently; everybody else signs in again and comes back. */
  readonly recentForm: AccessRule<Person>
  /** As `recent`, with the second factor of whoever has one. */
  readonly proven: AccessRule<Person>
  readonly provenForm: AccessRule<Person>
}

type SettingsView = Extract<ViewName, `settings/${string}` | `developer/${string}` | `admin/${string}`>

/** Draws a settings page: its own model plus the navigation. `here` is the section it belongs to, where its name does not say so. */
export type Draw = <V extends SettingsView>(
  view: V,
  person: Person,
  model: Omit<Views[V], 'shell'>,
  options?: { status?: number; headers?: Record<string, string>; here?: SettingsSection },
) => PageAnswer

const PATHS: Readonly<Record<SettingsSection, string>> = {
  profile: '/settings',
  security: '/settings/security',
  sessions: '/settings/sessions',
  activity: '/settings/activity',
  keys: '/settings/keys',
  tokens: '/settings/tokens',
  apps: '/settings/apps',
  developer: '/developer/apps',
  admin: '/admin/apps',
}

/** @param sections which parts of the settings this server has, in the order of the navigation; `admin` is shown to administrators. */
export function createDraw(sections: readonly SettingsSection[]): Draw {
  const belongs = (view: SettingsView): SettingsSection => {
    const [room] = view.split('/', 1)
    if (room === 'developer' || room === 'admin') return room
    return sections.find((id) => view === `settings/${id}`) ?? 'security'
  }
  const shellOf = (view: SettingsView, { account }: Person, here?: SettingsSection): Shell => ({
    here: here ?? belongs(view),
    sections: sections
      .filter((id) => id !== 'admin' || isAdministrator(account))
      .map((id) => ({ id, path: PATHS[id] })),
  })
  return (view, person, model, { here, ...options } = {}) => ({
    ...page(view, { ...model, shell: shellOf(view, person, here) } as Views[typeof view], options),
    account: shownAccount(person.account),
    csrfScope: person.sid,
  })
}

/** The person as the one on whose behalf something happens. */
export function callerOf(
  { account }: Person,
  { ip, userAgent, requestId }: { ip: string; userAgent: string; requestId: string },
): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}
