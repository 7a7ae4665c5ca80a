/**
 * Settings, another e-mail address: asked for after a recent sign-in with the second factor, confirmed at the new address, announced at the old one. The
 * code counts in the browser that asked, the link only for whoever is signed in as the account (`accounts/email-change.ts`).
 *
 *   GET  POST /settings/email          the new address
 *   GET  POST /settings/email/code     the code from its mail
 *   GET  POST /settings/email/:token   the link from its mail
 */
import { z } from 'zod'
import type { EmailChange } from '../accounts/email-change.ts'
import { hasCode } from '../errors.ts'
import { forget, keep, keeping } from '../http/kept.ts'
import { type Answer, type Cookie, get, type Handler, post, type Route } from '../http/route.ts'
import type { EmailModel } from '../http/settings-views.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

interface EmailParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly emailChange: EmailChange
}

const EMAIL_COOKIE = '__Host-licet_email' satisfies Cookie['name']
const KEPT_SECONDS = 3600
const DONE: Answer = { kind: 'redirect', location: '/settings?saved=email', cookies: [forget(EMAIL_COOKIE)] }

const EmailForm = z.object({ email: z.string().max(1000).default('') })
const CodeForm = z.object({ code: z.string().max(200).default('') })
const Nothing = z.object({})

export function createEmailPages({ access, draw, emailChange }: EmailParts): readonly Route[] {
  const { proven, provenForm, signedIn, form } = access
  const show = (person: Person, more: Omit<EmailModel, 'shell' | 'email'> = {}, status = 200): Answer =>
    draw('settings/email', person, { email: person.account.email, ...more }, { here: 'profile', status })
  return [
    get('/settings/email')
      .needs(proven)
      .does(({ caller }) => show(caller)),
    post('/settings/email')
      .needs(provenForm)
      .takes(EmailForm)
      .does(async ({ caller, input }) => {
        try {
          const { handle } = await emailChange.ask(caller.account, input.email)
          const cookies = [keep(EMAIL_COOKIE, handle, KEPT_SECONDS)]
          return { kind: 'redirect', location: '/settings/email/code', cookies }
        } catch (error) {
          if (!hasCode(error, 'invalid_request')) throw error
          return show(caller, { typed: input.email, problem: 'malformed' })
        }
      }),
    get('/settings/email/code')
      .needs(keeping(signedIn, EMAIL_COOKIE))
      .does(({ caller: { caller, value } }) =>
        value === undefined ? show(caller, { problem: 'gone' }, 410) : show(caller, { isAsked: true }),
      ),
    post('/settings/email/code').needs(keeping(form, EMAIL_COOKIE)).takes(CodeForm).does(byCode(emailChange, show)),
    get('/settings/email/:token')
      .needs(signedIn)
      .does(async ({ caller, params }) => {
        const token = params['token'] ?? ''
        const { email, accountId } = await emailChange.openLink(token)
        if (accountId !== caller.account.id) return show(caller, { problem: 'other_account' }, 403)
        return show(caller, { newEmail: email, confirmAction: `/settings/email/${encodeURIComponent(token)}` })
      }),
    post('/settings/email/:token')
      .needs(form)
      .takes(Nothing)
      .does(async ({ caller, params, request }) => {
        await emailChange.confirmByLink(callerOf(caller, request), caller.account.id, params['token'] ?? '')
        return DONE
      }),
  ]
}

function byCode(
  emailChange: EmailChange,
  show: (person: Person, more: Omit<EmailModel, 'shell' | 'email'>, status?: number) => Answer,
): Handler<z.infer<typeof CodeForm>, { readonly caller: Person; readonly value?: string }, unknown> {
  return async ({ caller: { caller, value = '' }, input, request }) => {
    const { id } = caller.account
    const tried = await emailChange.confirmByCode(callerOf(caller, request), id, value, input.code).catch(expired)
    if (tried.kind === 'proven') return DONE
    return tried.kind === 'gone'
      ? show(caller, { problem: 'gone' }, 410)
      : show(caller, { isAsked: true, problem: tried.kind })
  }
}

function expired(error: unknown): { kind: 'gone' } {
  if (hasCode(error, 'gone')) return { kind: 'gone' }
  throw error
}
