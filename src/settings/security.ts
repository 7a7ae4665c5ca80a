/**
 * Settings, security: the page with the check-list, and the password. Changing it signs every other browser out; this one stays. What its other
 * forms do stands in `factors.ts`.
 *
 *   GET  /settings/security            the page
 *   POST /settings/security/password   a new password, after a recent sign-in
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import { get, post, type Route } from '../http/route.ts'
import type { PasswordReason, SecurityModel } from '../http/settings-views.ts'
import { createFactorsPages, type FactorsParts } from './factors.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

const PasswordForm = z.object({ password: z.string().max(20_000).default('') })
const DONE = ['password', 'totp', 'passkey', 'renamed', 'removed'] as const
const Shown = z.object({ done: z.enum(DONE).optional().catch(undefined) })

export interface SecurityParts extends Omit<FactorsParts, 'security'> {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly accounts: Pick<Accounts, 'setPassword'>
  readonly minimumPasswordLength: number
  /** Lets this browser stay signed in although everything older than now has just been signed out. */
  readonly keepSession: (account: Account, sid: string) => Promise<void>
}

export function createSecurity(parts: SecurityParts): readonly Route[] {
  const { access, draw, factors } = parts
  const show = async (person: Person, more: Pick<SecurityModel, 'done' | 'passwordProblem' | 'isLastFactor'> = {}) => {
    const { held, required, totpSince, passkeys, fewRecoveryCodes } = await factors.list(person.account)
    return draw('settings/security', person, {
      hasPassword: person.account.hasPassword,
      minimumPasswordLength: parts.minimumPasswordLength,
      email: person.account.email,
      required,
      passkeys,
      recoveryCodes: held.recoveryCodes,
      fewRecoveryCodes,
      ...(totpSince === undefined ? {} : { totpSince }),
      ...more,
    })
  }
  return [
    get('/settings/security')
      .needs(access.signedIn)
      .takes(Shown)
      .does(({ caller, input }) => show(caller, input.done ? { done: input.done } : {})),
    post('/settings/security/password')
      .needs(access.provenForm)
      .takes(PasswordForm)
      .does(async ({ caller, input, request }) => {
        const problem = await changePassword(parts, caller, input.password, callerOf(caller, request))
        if (problem) return show(caller, { passwordProblem: problem })
        return { kind: 'redirect', location: '/settings/security?done=password' }
      }),
    ...createFactorsPages({ ...parts, security: show }),
  ]
}

async function changePassword(
  { accounts, keepSession, endOthers }: SecurityParts,
  { account, sid }: Person,
  password: string,
  caller: ReturnType<typeof callerOf>,
): Promise<PasswordReason | undefined> {
  try {
    await keepSession(await accounts.setPassword(caller, account.id, password), sid)
    await endOthers(account.id, sid)
    return undefined
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error
    return REASONS.find((reason) => reason === error.details.fields?.[0]?.code) ?? 'malformed'
  }
}

const REASONS: readonly PasswordReason[] = ['missing', 'too_short', 'too_long', 'malformed', 'too_common']
