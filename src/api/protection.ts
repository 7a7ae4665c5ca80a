/**
 * The settings as an API, second part: the acts that could take an account away from its owner. Each needs the guarded rule: a fresh sign-in with the
 * second factor, through an app of the operator. Second factors themselves are set up on the pages alone, where keys and codes can be shown once.
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Deletion } from '../accounts/deletion.ts'
import type { EmailChange } from '../accounts/email-change.ts'
import type { EditableAttribute } from '../accounts/fields.ts'
import { AppError, hasCode } from '../errors.ts'
import { type AccessRule, type Answer, post, type Route } from '../http/route.ts'
import type { PersonCaller } from './guarded.ts'
import { isoTime, json } from './own.ts'
import { Profile, profile } from './profile.ts'
import { text, time } from './shapes.ts'

export interface ProtectionParts {
  readonly guarded: AccessRule<PersonCaller>
  readonly editable: readonly EditableAttribute[]
  readonly passwordChange: Pick<Accounts, 'setPassword'>
  readonly emailChange: Pick<EmailChange, 'ask' | 'confirmByCode'>
  readonly deletion: Pick<Deletion, 'ask'>
  readonly exportAccount: (accountId: string) => Promise<Record<string, unknown>>
  /** Lets the session that this token came from live on after a change of password; every other one ends. */
  readonly keepSession: (account: Account, sid: string) => Promise<void>
  readonly endOthers: (accountId: string, keepId: string) => Promise<unknown>
  readonly endAll: (accountId: string) => Promise<void>
}

const Password = z.strictObject({ password: z.string().max(20_000) })
const Email = z.strictObject({ email: z.string().max(1000) })
const Confirmation = z.strictObject({ id: z.string().max(200), code: z.string().max(200) })

/** `id` goes back with the code that was sent to the new address. */
const EmailAsked = z.strictObject({ id: text, email: text, expires_at: time })
const Leaving = z.strictObject({ leaves_at: time })

export function createProtectionRoutes(parts: ProtectionParts): readonly Route[] {
  const { guarded, emailChange, editable } = parts
  return [
    post('/api/v1/accounts/me/password')
      .needs(guarded)
      .takes(Password)
      .gives(204)
      .says('Your new password. Every other session ends, and so does the token that asked.')
      .does(async ({ caller, input }) => {
        const account = await parts.passwordChange.setPassword(caller.caller, caller.account.id, input.password)
        if (caller.sid) await parts.keepSession(account, caller.sid)
        await parts.endOthers(account.id, caller.sid ?? '')
        return { kind: 'empty', status: 204 }
      }),
    post('/api/v1/accounts/me/email')
      .needs(guarded)
      .takes(Email)
      .gives(202, EmailAsked)
      .says(
        'Sends a code to the address you want to move to; an address that is taken gets another mail and the same answer.',
      )
      .does(async ({ caller, input }) => {
        const { handle, email, expiresAt } = await emailChange.ask(caller.account, input.email)
        return { kind: 'json', status: 202, body: { id: handle, email, expires_at: isoTime(expiresAt) } }
      }),
    post('/api/v1/accounts/me/email/confirm')
      .needs(guarded)
      .takes(Confirmation)
      .gives(200, Profile)
      .says('Moves to the new address, with the code that was sent there; the old address is told.')
      .does(async ({ caller, input }) => confirm(emailChange, caller, input, editable)),
    post('/api/v1/accounts/me/export')
      .needs(guarded)
      .gives(200, z.record(z.string(), z.unknown()))
      .says('Everything held about your account.')
      .does(async ({ caller }) => json(await parts.exportAccount(caller.account.id))),
    post('/api/v1/accounts/me/deletion')
      .needs(guarded)
      .takes(Email)
      .gives(202, Leaving)
      .says(
        'Closes your account at once, `email` being its address; until `leaves_at` the link in the mail takes it back.',
      )
      .does(async ({ caller: { caller, account }, input }) => {
        if (input.email.trim().toLowerCase() !== account.email.toLowerCase())
          throw new AppError('invalid_request', 'Give the address of this account.')
        const { leavesAt } = await parts.deletion.ask(caller, account.id)
        await parts.endAll(account.id)
        return { kind: 'json', status: 202, body: { leaves_at: isoTime(leavesAt) } }
      }),
  ]
}

async function confirm(
  emailChange: ProtectionParts['emailChange'],
  { caller, account }: PersonCaller,
  { id, code }: z.infer<typeof Confirmation>,
  editable: readonly EditableAttribute[],
): Promise<Answer> {
  const tried = await emailChange.confirmByCode(caller, account.id, id, code).catch(expired)
  if (tried.kind === 'proven') return profile(tried.account, editable)
  const detail = WRONG[tried.kind]
  throw new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: '/code', code: tried.kind, detail }] },
  })
}

const WRONG = {
  wrong: 'This code is not right.',
  limited: 'Too many wrong codes: ask for another one in 15 minutes, or open the link in the mail.',
  gone: 'This code has been used, was replaced or has expired: ask for another one.',
}

function expired(error: unknown): { kind: 'gone' } {
  if (hasCode(error, 'gone')) return { kind: 'gone' }
  throw error
}
