/**
 * A forgotten password. Asking looks the same for every address (threats.md LG2); the link's token leaves the address for a cookie at once, opening
 * it consumes nothing, and the new password signs nobody in: the sign-in that follows asks for the second factor (LG8, LG9).
 *
 *   GET  POST /recover         the address
 *   GET       /recover/:token  the link: keeps the token in a cookie and goes on
 *   GET  POST /recover/new     the new password
 */
import { z } from 'zod'
import type { Recovery } from '../accounts/recovery.ts'
import { AppError } from '../errors.ts'
import { forget, keep, keeping } from '../http/kept.ts'
import { type AccessRule, type Answer, type Cookie, get, post, type Route } from '../http/route.ts'
import { page, type SetupReason } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { wrongFields } from './setup.ts'

const RECOVER_COOKIE = '__Host-licet_recover' satisfies Cookie['name']
const KEPT_SECONDS = 1800

const EmailForm = z.object({ email: z.string().max(1000).default('') })
const PasswordForm = z.object({ password: z.string().max(20_000).default('') })

interface RecoverParts {
  readonly recovery: Recovery
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  readonly minimumPasswordLength: number
  readonly limitAddress: (ip: string) => Promise<unknown>
  /** Ends every session, grant and pending sign-in of the account. */
  readonly endAll: (accountId: string) => Promise<void>
}

export function createRecover(parts: RecoverParts): readonly Route[] {
  const { recovery, limitAddress } = parts
  const anyone = keeping(parts.anyone, RECOVER_COOKIE)
  const form = keeping(parts.form, RECOVER_COOKIE)
  return [
    get('/recover')
      .needs(parts.anyone)
      .does(() => page('interactions/recover', {})),
    post('/recover')
      .needs(parts.form)
      .takes(EmailForm)
      .does(async ({ caller, input, request }) => {
        if (input.email.trim() === '') return page('interactions/recover', { isMissing: true })
        await limitAddress(request.ip)
        await recovery.ask(caller, input.email, request.locale)
        return page('interactions/done', { kind: 'recover_sent' })
      }),
    get('/recover/new')
      .needs(anyone)
      .does(({ caller }) => passwordPage(parts, caller.value)),
    post('/recover/new')
      .needs(form)
      .takes(PasswordForm)
      .does(({ caller, input }) => finish(parts, caller, input.password)),
    get('/recover/:token')
      .needs(parts.anyone)
      .does(async ({ params }) => {
        const token = params['token'] ?? ''
        await recovery.open(token)
        return { kind: 'redirect', location: '/recover/new', cookies: [keep(RECOVER_COOKIE, token, KEPT_SECONDS)] }
      }),
  ]
}

async function passwordPage(
  { recovery, minimumPasswordLength }: RecoverParts,
  token: string | undefined,
  problem?: SetupReason,
): Promise<Answer> {
  const { email } = await recovery.open(tokenOf(token))
  return page('interactions/new-password', { email, minimumPasswordLength, ...(problem ? { problem } : {}) })
}

async function finish(
  parts: RecoverParts,
  { caller, value }: { caller: Caller; value?: string },
  password: string,
): Promise<Answer> {
  try {
    const account = await parts.recovery.finish(caller, tokenOf(value), password)
    await parts.endAll(account.id)
  } catch (error) {
    const [wrong] = wrongFields(error) ?? []
    if (!wrong) throw error
    return passwordPage(parts, value, wrong.reason)
  }
  const cookies = [forget(RECOVER_COOKIE)]
  return page('interactions/done', { kind: 'recovered', continueUrl: '/settings' }, { cookies })
}

function tokenOf(value: string | undefined): string {
  if (value === undefined) throw new AppError('gone', 'This link has been used, was replaced or has expired.')
  return value
}
