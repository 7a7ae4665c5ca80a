/**
 * Settings, for an account whose address nobody has proven: it may sign in and prove it, and make nothing that acts in its name. Whoever comes to such
 * a page is told what to do here, and goes back there afterwards.
 *
 *   GET  /settings/verify          what to do: ?return_to=
 *   POST /settings/verify-email    sends the mail and goes to the page of its code
 */
import { z } from 'zod'
import { shownAccount } from '../accounts/describe.ts'
import { AppError } from '../errors.ts'
import { ownPathOr } from '../http/own-path.ts'
import { type AccessRule, type Cookie, get, post, type Route } from '../http/route.ts'
import { returnPath } from '../http/session.ts'
import { page } from '../http/views.ts'
import type { Person, SettingsAccess } from './shell.ts'

export interface UnverifiedParts {
  readonly access: SettingsAccess
  /** Sends the mail; the cookie that the page of the code needs. */
  readonly beginVerification: (account: Person['account'], returnTo: string) => Promise<Cookie>
}

const ReturnTo = z.object({ return_to: z.string().max(2000).optional() })

export function createUnverified({ access, beginVerification }: UnverifiedParts): readonly Route[] {
  return [
    get('/settings/verify')
      .needs(access.signedIn)
      .takes(ReturnTo)
      .does(({ caller: { account, sid }, input }) => {
        const returnTo = ownPathOr(input.return_to, '/settings')
        if (account.emailVerified) return { kind: 'redirect', location: returnTo }
        const model = { account: shownAccount(account), action: '/settings/verify-email', returnTo }
        return { ...page('interactions/unverified', model), csrfScope: sid }
      }),
    post('/settings/verify-email')
      .needs(access.form)
      .takes(ReturnTo)
      .does(async ({ caller: { account }, input }) => {
        const returnTo = ownPathOr(input.return_to, '/settings')
        if (account.emailVerified) return { kind: 'redirect', location: returnTo }
        return { kind: 'redirect', location: '/verify', cookies: [await beginVerification(account, returnTo)] }
      }),
  ]
}

/** The same rules where whatever needs a recent sign-in needs a proven address besides; others are told so and come back. */
export function withProvenAddress(access: SettingsAccess): SettingsAccess {
  const { recent, recentForm, proven, provenForm } = access
  return {
    ...access,
    recent: held(recent),
    recentForm: held(recentForm),
    proven: held(proven),
    provenForm: held(provenForm),
  }
}

function held(rule: AccessRule<Person>): AccessRule<Person> {
  return {
    ...rule,
    name: `${rule.name}, address confirmed`,
    describe: `${rule.describe} The account's e-mail address is confirmed.`,
    async admit(ctx) {
      const person = await rule.admit(ctx)
      if (person.account.emailVerified) return person
      const query = new URLSearchParams({ return_to: returnPath(ctx) })
      throw new AppError('forbidden', 'Confirm your e-mail address first.', {
        details: { continueAt: `/settings/verify?${query}` },
      })
    },
  }
}
