/**
 * Settings, for somebody who signed in with a recovery code: it lets them in, and never counts as the sign-in that sensitive changes need (pages.md).
 * Sending them to sign in again would only use up another code, so they are told what does count.
 *
 *   GET /settings/recovered   ?return_to=
 */
import { z } from 'zod'
import { ownPathOr } from '../http/own-path.ts'
import { get, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { SettingsAccess } from './shell.ts'

export interface RecoveredParts {
  readonly access: SettingsAccess
  /** The path that begins a fresh sign-in of that person and ends at `returnTo`. */
  readonly signInAgainPath: (returnTo: string, email: string) => string
}

const ReturnTo = z.object({ return_to: z.string().max(2000).optional() })

export function createRecovered({ access, signInAgainPath }: RecoveredParts): readonly Route[] {
  return [
    get('/settings/recovered')
      .needs(access.signedIn)
      .takes(ReturnTo)
      .does(({ caller, input }) => {
        const returnTo = ownPathOr(input.return_to, '/settings')
        if (caller.sudo) return { kind: 'redirect', location: returnTo }
        return page('interactions/recovered', { signInUrl: signInAgainPath(returnTo, caller.account.email) })
      }),
  ]
}

/** Where the rule sends such a person. */
export function recoveredPath(returnTo: string): string {
  return `/settings/recovered?${new URLSearchParams({ return_to: returnTo })}`
}
